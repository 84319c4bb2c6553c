/**
 * How fast one connection moves bytes over loopback, and what it costs each end: two processes, one
 * stream, no files. Figures are medians of several runs.
 *
 *     deno run -A --v8-flags=--expose-gc,--max-semi-space-size=1 tests/bench/transport_bench.ts
 *
 * Options: `--mib 512` bytes of one run, `--runs 3`, `--sizes 1472,8900,16368` UDP payloads,
 * `--udp linux|dgram`, `--cc bbr|cubic|reno`, `--json`.
 */
import { parseArgs } from "node:util";
import process from "node:process";
import { QuicEndpoint, type TransportProfile, type UdpKind } from "../../src/quic/mod.ts";
import { makeIdentity } from "../support/quic_identity.ts";

const ALPN = "landropic-bench/1";
const WRITE_BYTES = 1 << 20;
const READ_BYTES = 1 << 20;

interface Setting {
  readonly mib: number;
  readonly datagramBytes: number;
  readonly udp: UdpKind;
  readonly profile: Partial<TransportProfile>;
}

interface EndReport {
  readonly cpuSeconds: number;
  readonly counters: Record<string, number>;
}

interface RunReport {
  readonly seconds: number;
  readonly sender: EndReport & { readonly lost: number; readonly rttMs: number };
  readonly receiver: EndReport;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      mib: { type: "string", default: "512" },
      runs: { type: "string", default: "3" },
      sizes: { type: "string", default: "1472,8900,16368" },
      udp: { type: "string", default: "auto" },
      cc: { type: "string", default: "bbr" },
      json: { type: "boolean", default: false },
      role: { type: "string" },
      port: { type: "string" },
    },
  });
  const settingFor = (datagramBytes: number): Setting => ({
    mib: Number(values.mib),
    datagramBytes,
    udp: values.udp as UdpKind,
    profile: {
      datagramBytes,
      congestionControl: values.cc as TransportProfile["congestionControl"],
    },
  });
  const setting = settingFor(Number(values.sizes.split(",")[0]));
  if (values.role === "receiver") await receive(setting);
  else if (values.role === "sender") await send(setting, Number(values.port));
  else {
    for (const size of values.sizes.split(",").map(Number)) {
      const runs: RunReport[] = [];
      for (let i = 0; i < Number(values.runs); i++) runs.push(await run(settingFor(size), values));
      console.log(values.json ? JSON.stringify({ size, runs }) : describe(size, setting.mib, runs));
    }
  }
}

async function run(setting: Setting, values: Record<string, unknown>): Promise<RunReport> {
  const spawn = (role: string, port: number) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        `--v8-flags=${Deno.env.get("BENCH_V8_FLAGS") ?? "--expose-gc,--max-semi-space-size=1"}`,
        ...(Deno.env.get(`BENCH_${role.toUpperCase()}_ARGS`)?.split(" ") ?? []),
        import.meta.filename!,
        `--role=${role}`,
        `--port=${port}`,
        `--mib=${setting.mib}`,
        `--sizes=${setting.datagramBytes}`,
        `--udp=${values.udp}`,
        `--cc=${values.cc}`,
      ],
      stdout: "piped",
    }).spawn();
  const receiver = spawn("receiver", 0);
  const lines = receiver.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const port = Number((await lines.read()).value);
  const sender = spawn("sender", port);
  const sent = JSON.parse(new TextDecoder().decode((await sender.output()).stdout));
  let text = "";
  for (let part; !(part = await lines.read()).done;) text += part.value;
  await receiver.status;
  return { seconds: sent.seconds, sender: sent, receiver: JSON.parse(text) };
}

async function receive({ udp, profile, mib }: Setting): Promise<void> {
  await using endpoint = await QuicEndpoint.bind({
    listen: { host: "127.0.0.1", port: 0 },
    identity: await makeIdentity(),
    profile,
    udp,
  });
  const done = Promise.withResolvers<void>();
  endpoint.listen({
    alpns: () => [ALPN],
    verify: () => {},
    onConnection: async (connection) => {
      const start = process.cpuUsage();
      const { value: stream } = await connection.incomingBidi.next();
      const buffer = new Uint8Array(READ_BYTES);
      let total = 0;
      for (let n; (n = await stream.recv.read(buffer)) !== null;) total += n;
      if (total !== mib << 20) throw new Error(`got ${total} bytes`);
      await stream.send.write(new Uint8Array([1]));
      await stream.send.finish();
      await connection.closed;
      console.log(
        JSON.stringify({ cpuSeconds: cpuSince(start), counters: socketCounters(endpoint) }),
      );
      done.resolve();
    },
  });
  console.log(endpoint.localAddress.port);
  await done.promise;
}

async function send({ udp, profile, mib }: Setting, port: number): Promise<void> {
  await using endpoint = await QuicEndpoint.bind({
    listen: { host: "127.0.0.1", port: 0 },
    identity: await makeIdentity(),
    profile,
    udp,
  });
  await using connection = await endpoint.connect({ host: "127.0.0.1", port }, {
    alpn: ALPN,
    verify: () => {},
  });
  const payload = new Uint8Array(WRITE_BYTES);
  for (let at = 0; at < payload.length; at += 65_536) {
    crypto.getRandomValues(payload.subarray(at, at + 65_536));
  }
  const start = process.cpuUsage();
  const startMs = performance.now();
  const stream = await connection.openBidi();
  for (let i = 0; i < mib; i++) await stream.send.write(payload);
  await stream.send.finish();
  const answer = new Uint8Array(1);
  while (await stream.recv.read(answer) !== null);
  const seconds = (performance.now() - startMs) / 1000;
  const { lostPackets, rttMs, congestionWindowBytes } = connection.stats();
  const cpuSeconds = cpuSince(start);
  const counters = socketCounters(endpoint);
  console.log(
    JSON.stringify({
      seconds,
      cpuSeconds,
      lost: lostPackets,
      rttMs,
      counters: { ...counters, congestionWindowBytes },
    }),
  );
}

function cpuSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

function socketCounters(endpoint: QuicEndpoint): Record<string, number> {
  return { ...endpoint.socketCounters };
}

function describe(size: number, mib: number, runs: readonly RunReport[]): string {
  const median = (pick: (run: RunReport) => number) =>
    runs.map(pick).sort((a, b) => a - b)[runs.length >> 1]!;
  const perGib = (seconds: number) => (seconds * 1024 / mib).toFixed(2);
  const megabytes = mib * 1.048576;
  return [
    `${String(size).padStart(6)} B datagrams: ${
      (megabytes / median((r) => r.seconds)).toFixed(0).padStart(4)
    } MB/s`,
    `sender ${perGib(median((r) => r.sender.cpuSeconds))} CPU s/GiB`,
    `receiver ${perGib(median((r) => r.receiver.cpuSeconds))} CPU s/GiB`,
    `lost ${median((r) => r.sender.lost)}`,
  ].join(", ");
}
