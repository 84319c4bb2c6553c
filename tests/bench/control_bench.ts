import { join } from "node:path";
import { CliDevice, ServingDevice } from "../support/cli_device.ts";
import type { Host } from "../support/netlab/netlab.ts";
import { noise } from "../support/sync_scene.ts";
import type { ControlLog } from "./control_main.ts";
import { cpuSeconds, MemoryWatch } from "./process_meter.ts";

const MAIN = new URL("./control_main.ts", import.meta.url).pathname;
const MEMORY_FOLDER = "/dev/shm";
const MIB = 1024 * 1024;
const LOOK_INTERVAL_MS = 25;

/** How long messages took, in milliseconds. */
export interface Delays {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** One end of a sync with Pings beside it. */
export interface ControlEnd {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  /** Of a message from here until the other side had read it. */
  readonly oneWay: Delays;
  /** And back again. */
  readonly roundTrip: Delays;
}

/** A sync with Pings beside it. */
export interface ControlFigures {
  readonly seconds: number;
  readonly bytes: number;
  readonly client: ControlEnd;
  readonly server: ControlEnd;
}

/** Where the two ends run. */
interface ControlSite {
  command(host: Host, program: readonly string[]): readonly string[];
  address(host: Host): string;
}

/**
 * Syncs one file that does not compress from host a to host b, with all that belongs to it, while both
 * sides send control messages on the very connection.
 */
export async function measureControl(site: ControlSite, mib: number): Promise<ControlFigures> {
  const isMemory = await Deno.stat(MEMORY_FOLDER).then(() => true, () => false);
  const folder = await Deno.makeTempDir(isMemory ? { dir: MEMORY_FOLDER } : {});
  try {
    const device = (host: Host) =>
      new CliDevice(host, join(folder, `home-${host}`), site.command(host, []));
    const [a, b] = [device("a"), device("b")];
    await a.succeed("peers", "trust", await b.id(), "--name", "b");
    await b.succeed("peers", "trust", await a.id(), "--name", "a");
    const [left, right] = [join(folder, "left"), join(folder, "right")];
    for (const path of [left, right]) Deno.mkdirSync(path);
    writeNoise(join(left, "large"), mib);
    const env = (host: Host) => ({ CONTROL_REPORT: join(folder, `report-${host}`) });
    const start = (device: CliDevice, host: Host, args: string[]) =>
      new MeteredProcess(
        device.spawn([...args, "--no-discovery", "--json"], { main: MAIN, env: env(host) }),
      );
    const listen = ["--listen", `${site.address("b")}:0`];
    using server = start(b, "b", ["serve", right, ...listen]);
    await server.device.listening(20_000);
    const { port } = server.device.events.find(({ event }) => event === "listening")!;
    const address = ["--address", `${site.address("b")}:${port}`];
    using client = start(a, "a", ["sync", "b", left, "--push", ...address]);
    const { code, stderr } = await client.device.end();
    if (code !== 0) throw new Error(`the sync failed:\n${stderr}`);
    await server.device.stop();
    const { seconds, bytesSent } = client.device.events.at(-1)! as Record<string, number>;
    const logOf = (host: Host): ControlLog =>
      JSON.parse(Deno.readTextFileSync(env(host).CONTROL_REPORT));
    const [near, far] = [logOf("a"), logOf("b")];
    return {
      seconds: seconds!,
      bytes: bytesSent!,
      client: { ...client.used, ...delays(near, far) },
      server: { ...server.used, ...delays(far, near) },
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A process whose use of the machine is looked at until it has ended. */
class MeteredProcess implements Disposable {
  readonly device: ServingDevice;
  readonly #memory: MemoryWatch;
  readonly #timer: ReturnType<typeof setInterval>;
  #cpuSeconds = 0;

  constructor(child: Deno.ChildProcess) {
    this.#memory = new MemoryWatch(child.pid);
    // What has ended does not tell any more.
    this.#timer = setInterval(() => {
      const seconds = cpuSeconds(child.pid);
      if (seconds > this.#cpuSeconds) this.#cpuSeconds = seconds;
    }, LOOK_INTERVAL_MS);
    this.device = new ServingDevice(child);
  }

  get used(): { readonly cpuSeconds: number; readonly peakBytes: number } {
    return { cpuSeconds: this.#cpuSeconds, peakBytes: this.#memory.peakBytes };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#memory[Symbol.dispose]();
  }
}

function writeNoise(path: string, mib: number): void {
  using file = Deno.openSync(path, { write: true, createNew: true });
  for (let i = 0; i < mib; i++) file.writeSync(noise(MIB, i + 1));
}

function delays(own: ControlLog, others: ControlLog): Pick<ControlEnd, "oneWay" | "roundTrip"> {
  const due = new Map(own.due);
  const since = (ends: ControlLog["due"]) =>
    summaryOf(ends.map(([token, at]) => at - due.get(token)!));
  return { oneWay: since(others.arrived), roundTrip: since(own.answered) };
}

function summaryOf(times: number[]): Delays {
  times.sort((a, b) => a - b);
  const quantile = (q: number) => times[Math.min(times.length - 1, Math.floor(times.length * q))]!;
  return {
    count: times.length,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: times.at(-1)!,
  };
}
