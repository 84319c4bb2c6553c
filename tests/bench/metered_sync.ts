import { join } from "node:path";
import { CliDevice, ServingDevice } from "../support/cli_device.ts";
import type { Host } from "../support/netlab/netlab.ts";
import { noise } from "../support/sync_scene.ts";
import { cpuSeconds, MemoryWatch } from "./process_meter.ts";

const MEMORY_FOLDER = "/dev/shm";
const MIB = 1024 * 1024;
const LOOK_INTERVAL_MS = 25;

/** Where the two ends run. */
export interface SyncSite {
  command(host: Host, program: readonly string[]): readonly string[];
  address(host: Host): string;
}

/** What an end of a sync used. */
export interface EndUsage {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

/** A sync that was measured. */
export interface MeteredSync {
  readonly seconds: number;
  readonly bytes: number;
  readonly connections: number;
  readonly client: EndUsage;
  readonly server: EndUsage;
}

/** What is synced, and how. */
export interface SyncOptions {
  /** Files that do not compress, so many MiB each. */
  readonly files: readonly number[];
  /** More arguments of `sync`. */
  readonly args?: readonly string[];
  /** The program of both ends, and its environment, where it is another one. */
  readonly main?: string;
  readonly env?: (host: Host, folder: string) => Record<string, string>;
}

/**
 * Pushes files that do not compress from host a to host b, each a process of its own, in memory where there
 * is room.
 *
 * @param look Looks at what the ends have left in the folder, before it is removed.
 */
export async function meterSync<T>(
  site: SyncSite,
  { files, args = [], main, env = () => ({}) }: SyncOptions,
  look: (sync: MeteredSync, folder: string) => T,
): Promise<T> {
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
    files.forEach((mib, i) => writeNoise(join(left, `noise-${i}`), mib, i));
    const start = (device: CliDevice, host: Host, command: string[]) =>
      new MeteredProcess(
        device.spawn([...command, "--no-discovery", "--json"], {
          env: env(host, folder),
          ...(main !== undefined && { main }),
        }),
      );
    const listen = ["--listen", `${site.address("b")}:0`];
    using server = start(b, "b", ["serve", right, ...listen]);
    await server.device.listening(20_000);
    const { port } = server.device.events.find(({ event }) => event === "listening")!;
    const address = ["--address", `${site.address("b")}:${port}`];
    using client = start(a, "a", ["sync", "b", left, "--push", ...address, ...args]);
    const { code, stderr } = await client.device.end();
    if (code !== 0) throw new Error(`the sync failed:\n${stderr}`);
    await server.device.stop();
    const { seconds, bytesSent, connections } = client.device.events.at(-1)! as Record<
      string,
      number
    >;
    return look({
      seconds: seconds!,
      bytes: bytesSent!,
      connections: connections!,
      client: client.used,
      server: server.used,
    }, folder);
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

  get used(): EndUsage {
    return { cpuSeconds: this.#cpuSeconds, peakBytes: this.#memory.peakBytes };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#memory[Symbol.dispose]();
  }
}

function writeNoise(path: string, mib: number, seed: number): void {
  using file = Deno.openSync(path, { write: true, createNew: true });
  for (let i = 0; i < mib; i++) file.writeSync(noise(MIB, seed * 4096 + i + 1));
}
