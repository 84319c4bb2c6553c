/**
 * What the transport does and costs: throughput of one stream by datagram size, latency of requests on an
 * idle and on a busy connection, handshakes, connections at once; how long control messages take beside a
 * whole sync, files read, hashed and written; and such a sync of several files over more connections, all
 * but the first in threads of their own. Each end is a process of its own, so that its
 * processor time and peak memory are known.
 *
 *     deno task bench:transport
 *
 * Options: `--sizes 1472,8900,16368` UDP payloads, `--seconds 3` of each throughput, `--requests 300`,
 * `--handshakes 100`, `--connections 1000`, `--sync-mib 1024` (0 leaves syncs out), `--lanes 1,2,4`,
 * `--udp linux|dgram`,
 * `--cc auto|bbr|cubic|reno`, `--known lan|wan|lossy` as if earlier connections had seen that, `--unpaced`,
 * `--json`, and `--link loopback|lan1g|wan|lossy|home` for two hosts in network
 * namespaces (root), where throughput is measured, then that of TCP with each of `--tcp cubic,reno,bbr`;
 * with `--beside` both at once, to see what one leaves of the link to the other. Syncs only if they are
 * asked for.
 */
import { parseArgs } from "node:util";
import { V8_FLAGS } from "../../scripts/packaging/v8_flags.ts";
import { type Delays, measureControl } from "./control_bench.ts";
import { meterSync } from "./metered_sync.ts";
import { type Host, Netlab, parseNetProfile } from "../support/netlab/netlab.ts";
import type { ConnectionsReport, LatencyReport, PushReport, Usage } from "./transport_end.ts";

const END = new URL("./transport_end.ts", import.meta.url).pathname;
const TCP_END = new URL("./tcp_end.ts", import.meta.url).pathname;

/** Where the ends run. */
interface Site {
  /** The command line of a program on that host. */
  command(host: Host, program: readonly string[]): readonly string[];
  address(host: Host): string;
}

interface Measured<T> {
  readonly client: T;
  readonly server: Usage;
}

const HERE: Site = { command: (_, program) => program, address: () => "127.0.0.1" };

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      sizes: { type: "string" },
      seconds: { type: "string", default: "3" },
      requests: { type: "string", default: "300" },
      handshakes: { type: "string", default: "100" },
      connections: { type: "string", default: "1000" },
      "sync-mib": { type: "string" },
      lanes: { type: "string", default: "1,2,4" },
      udp: { type: "string", default: "auto" },
      cc: { type: "string", default: "auto" },
      known: { type: "string" },
      unpaced: { type: "boolean", default: false },
      link: { type: "string" },
      tcp: { type: "string", default: "cubic,reno,bbr" },
      beside: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const common = [
    `--udp=${values.udp}`,
    `--cc=${values.cc}`,
    ...(values.known === undefined ? [] : [`--known=${values.known}`]),
    ...(values.unpaced ? ["--unpaced"] : []),
  ];
  const say = (what: string, text: string, report: Measured<object>) =>
    console.log(
      values.json
        ? JSON.stringify({ what, ...report })
        : `${what.padEnd(38)}${text}, ${costs(report)}`,
    );
  const push = async (site: Site, what: string, args: readonly string[]) => {
    const report = await measure<PushReport>(site, "push", [...common, ...args]);
    say(what, throughput(report.client), report);
  };
  const syncBeside = async (site: Site, what: string, mib: number) => {
    if (mib === 0) return;
    const figures = await measureControl(site, mib);
    say(what, `${(figures.bytes / figures.seconds / 1e6).toFixed(1)} MB/s`, figures);
    if (values.json) return;
    for (const [way, name] of [["oneWay", "one way"], ["roundTrip", "and back"]] as const) {
      for (const end of ["client", "server"] as const) {
        console.log(
          `  control messages of the ${end}, ${name}`.padEnd(48) + delays(figures[end][way]),
        );
      }
    }
  };
  const syncByLanes = async (site: Site, what: string, mib: number) => {
    if (mib === 0) return;
    for (const lanes of values.lanes.split(",")) {
      const options = { files: Array(8).fill(mib / 8), args: ["--connections", lanes] };
      const figures = await meterSync(site, options, (sync) => sync);
      const rate = `${(figures.bytes / figures.seconds / 1e6).toFixed(1)} MB/s`;
      say(`${what} of 8 files, ${figures.connections} lanes`, rate, figures);
    }
  };
  const seconds = `--seconds=${values.seconds}`;
  if (values.link !== undefined) {
    const profile = parseNetProfile(values.link);
    const obstacle = await Netlab.obstacle(profile);
    if (obstacle !== undefined) {
      console.log(`skipped: ${obstacle}`);
      Deno.exit(0);
    }
    await using lab = await Netlab.up(profile);
    const quic = () => push(lab, `QUIC with ${values.cc}, ${profile}`, [seconds]);
    if (!values.beside) await quic();
    for (const control of values.tcp.split(",")) {
      if (!await setTcpControl(lab, control)) {
        console.log(`skipped: this kernel has no TCP with ${control}`);
        continue;
      }
      const [tcp] = await Promise.all([
        measure<PushReport>(lab, "push", [seconds], TCP_END),
        values.beside ? quic() : undefined,
      ]);
      say(`TCP with ${control}, ${profile}`, throughput(tcp.client), tcp);
    }
    const mib = Number(values["sync-mib"] ?? 0);
    await syncBeside(lab, `sync, ${profile}`, mib);
    await syncByLanes(lab, `sync, ${profile},`, mib);
  } else {
    for (const size of (values.sizes ?? "1472,8900,16368").split(",")) {
      await push(HERE, `throughput, ${size} B datagrams`, [seconds, `--datagrams=${size}`]);
    }
    for (const load of [false, true]) {
      const args = [...common, `--count=${values.requests}`, ...(load ? ["--load"] : [])];
      const report = await measure<LatencyReport>(HERE, "latency", args);
      const { p50Ms, p99Ms } = report.client;
      const text = `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;
      say(`requests, ${load ? "four busy streams beside" : "idle"}`, text, report);
    }
    const shaken = await measure<ConnectionsReport>(HERE, "handshakes", [
      ...common,
      `--count=${values.handshakes}`,
    ]);
    const rate = shaken.client.connections / shaken.client.seconds;
    say("handshakes, one after another", `${rate.toFixed(0)} a second`, shaken);
    const held = await measure<ConnectionsReport>(HERE, "hold", [
      ...common,
      `--count=${values.connections}`,
    ]);
    const text = `${held.client.connections} of ${values.connections} served`;
    say("connections at once", `${text} in ${held.client.seconds.toFixed(2)} s`, held);
    const mib = Number(values["sync-mib"] ?? 1024);
    await syncBeside(HERE, "sync", mib);
    await syncByLanes(HERE, "sync", mib);
  }
}

/** Sets what TCP does on the sending host, which has settings of its own. */
async function setTcpControl(lab: Netlab, control: string): Promise<boolean> {
  const file = "/proc/sys/net/ipv4/tcp_congestion_control";
  const [command, ...args] = lab.command("a", ["sh", "-c", `echo "$1" > ${file}`, "sh", control]);
  const { success } = await new Deno.Command(command!, { args, stderr: "null" }).output();
  return success;
}

async function measure<T>(
  site: Site,
  role: string,
  args: readonly string[],
  program = END,
): Promise<Measured<T>> {
  const spawn = (host: Host, roleArgs: readonly string[]) => {
    const [command, ...rest] = site.command(host, [
      Deno.execPath(),
      "run",
      "-A",
      "--quiet",
      V8_FLAGS,
      program,
      ...roleArgs,
      ...args,
    ]);
    return new Deno.Command(command!, { args: rest, stdin: "piped", stdout: "piped" }).spawn();
  };
  const address = (host: Host) => `--listen=${site.address(host)}`;
  const server = spawn("b", ["--role=serve", address("b")]);
  const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { port } = JSON.parse((await lines.read()).value ?? "{}");
  const remote = `--remote=${site.address("b")}:${port}`;
  const client = spawn("a", [`--role=${role}`, address("a"), remote]);
  await client.stdin.close();
  const { stdout, success } = await client.output();
  await server.stdin.close();
  let text = "";
  for (let part; !(part = await lines.read()).done;) text += part.value;
  await server.status;
  if (!success) throw new Error(`the measuring end failed: ${role}`);
  return { client: JSON.parse(new TextDecoder().decode(stdout)), server: JSON.parse(text) };
}

function throughput({ bytes, seconds, lostPackets, sentDatagrams, rttMs }: PushReport): string {
  const lost = sentDatagrams > 0
    ? `, lost ${(100 * lostPackets / sentDatagrams).toFixed(1)} %`
    : "";
  const rtt = rttMs > 0 ? `, round trip ${rttMs} ms` : "";
  return `${(bytes / seconds / 1e6).toFixed(1)} MB/s${lost}${rtt}`;
}

function delays({ count, p50Ms, p99Ms, maxMs }: Delays): string {
  const times = [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1));
  return `p50 ${times[0]} ms, p99 ${times[1]} ms, longest ${times[2]} ms of ${count}`;
}

function costs({ client, server }: Measured<object>): string {
  const of = ({ cpuSeconds, peakBytes }: Usage) =>
    `${cpuSeconds.toFixed(2)} CPU s ${(peakBytes / 1e6).toFixed(0)} MB`;
  return `client ${of(client as Usage)}, server ${of(server)}`;
}
