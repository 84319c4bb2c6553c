/**
 * One end of a transport benchmark, as a process of its own. The serving end answers on every stream;
 * the other ends measure. Results are lines of JSON on standard output. Run by `transport_bench.ts`.
 */
import { parseArgs } from "node:util";
import process from "node:process";
import {
  type BidiStream,
  classifyPath,
  type CongestionControl,
  type PathEvidence,
  PathMemory,
  type QuicConnection,
  QuicEndpoint,
  type RecvStream,
  type UdpKind,
} from "../../src/quic/mod.ts";
import { makeIdentity } from "../support/quic_identity.ts";

/** What a process has used since it started. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

/** One stream of bytes. */
export interface PushReport extends Usage {
  readonly bytes: number;
  readonly seconds: number;
  readonly sentDatagrams: number;
  readonly lostPackets: number;
  /** The median while bytes moved; 0 where it is not known. */
  readonly rttMs: number;
}

/** Requests one after another: times in milliseconds. */
export interface LatencyReport extends Usage {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Connections opened. */
export interface ConnectionsReport extends Usage {
  readonly connections: number;
  readonly seconds: number;
}

/** What may be known of a path before. */
const KNOWN: Readonly<Record<string, PathEvidence>> = {
  lan: { rttMs: 0, packets: 5000, lost: 0 },
  wan: { rttMs: 50, packets: 5000, lost: 5 },
  lossy: { rttMs: 50, packets: 5000, lost: 50 },
};

const ALPN = "landropic-bench/1";
const BLOCK_BYTES = 1 << 20;
/** First byte of a stream: what its opener wants. */
const WANTS = { nothing: 0, answer: 1 } as const;
const REQUEST_BYTES = 256;
const ANSWER_BYTES = 4096;

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      role: { type: "string", default: "serve" },
      listen: { type: "string", default: "127.0.0.1" },
      remote: { type: "string", default: "" },
      datagrams: { type: "string" },
      udp: { type: "string", default: "auto" },
      cc: { type: "string", default: "auto" },
      known: { type: "string" },
      unpaced: { type: "boolean", default: false },
      seconds: { type: "string", default: "3" },
      mib: { type: "string" },
      count: { type: "string", default: "100" },
      load: { type: "boolean", default: false },
    },
  });
  const host = values.remote.slice(0, values.remote.lastIndexOf(":"));
  const paths = new PathMemory(values.known === undefined ? [] : [[host, KNOWN[values.known]!]]);
  const endpoint = await QuicEndpoint.bind({
    listen: { host: values.listen, port: 0 },
    identity: await makeIdentity(),
    udp: values.udp as UdpKind,
    profile: {
      datagramBytes: values.datagrams === undefined ? undefined : Number(values.datagrams),
      congestionControl: values.cc === "auto" ? undefined : values.cc as CongestionControl,
      isPaced: !values.unpaced,
    },
    paths,
  });
  const dial = () =>
    endpoint.connect(
      { host, port: Number(values.remote.slice(host.length + 1)) },
      { alpn: ALPN, verify: () => {} },
    );
  const seconds = Number(values.seconds);
  const count = Number(values.count);
  const bytesMax = values.mib === undefined ? Infinity : Number(values.mib) * BLOCK_BYTES;
  switch (values.role) {
    case "serve":
      await serve(endpoint);
      break;
    case "push":
      print(await push(endpoint, await dial(), { seconds, bytesMax }));
      break;
    case "latency":
      print(await measureLatency(await dial(), { count, load: values.load }));
      break;
    case "handshakes":
      print(await shakeHands(dial, count));
      break;
    case "hold":
      print(await hold(dial, count));
      break;
    default:
      throw new RangeError(`no such role: ${values.role}`);
  }
  await endpoint[Symbol.asyncDispose]();
  if (values.role === "push") {
    const path = paths.get(host);
    console.error(`path ${classifyPath(path)} ${JSON.stringify(path)}`);
  }
}

async function serve(endpoint: QuicEndpoint): Promise<void> {
  endpoint.listen({
    alpns: () => [ALPN],
    verify: () => {},
    // `serve` takes 256.
    limits: { connectionsMax: Infinity },
    onConnection: (connection) => void answerAll(connection).catch(() => {}),
  });
  print({ port: endpoint.localAddress.port });
  // The end of standard input ends it.
  for await (const _ of Deno.stdin.readable);
  print({ ...usage(), ...endpoint.counters });
}

async function answerAll(connection: QuicConnection): Promise<void> {
  for await (const stream of connection.incomingBidi) void answer(stream).catch(() => {});
}

async function answer({ send, recv }: BidiStream): Promise<void> {
  const buffer = new Uint8Array(BLOCK_BYTES);
  const first = await recv.read(buffer);
  const wants = first === null ? WANTS.nothing : buffer[0];
  await readOn(recv, buffer);
  await send.write(new Uint8Array(wants === WANTS.answer ? ANSWER_BYTES : 1));
  await send.finish();
}

async function readOn(recv: RecvStream, buffer: Uint8Array): Promise<void> {
  while (await recv.read(buffer) !== null);
}

/** Writes for so long, or so much, and waits until all has arrived. */
async function push(
  endpoint: QuicEndpoint,
  connection: QuicConnection,
  { seconds, bytesMax }: { seconds: number; bytesMax: number },
): Promise<PushReport> {
  const block = new Uint8Array(BLOCK_BYTES);
  // Random, but for the first byte, which says that no answer is wanted.
  for (let i = 0; i < block.length; i += 65_536) {
    crypto.getRandomValues(block.subarray(i, i + 65_536));
  }
  block[0] = WANTS.nothing;
  const startMs = performance.now();
  const { send, recv } = await connection.openBidi();
  const rtts: number[] = [];
  let bytes = 0;
  while (
    bytes < bytesMax && (bytesMax < Infinity || performance.now() - startMs < seconds * 1000)
  ) {
    await send.write(block);
    bytes += block.length;
    rtts.push(connection.stats().rttMs);
  }
  await send.finish();
  await readOn(recv, new Uint8Array(16));
  const took = (performance.now() - startMs) / 1000;
  const { lostPackets } = connection.stats();
  const rttMs = rtts.sort((a, b) => a - b)[rtts.length >> 1] ?? 0;
  const { sentDatagrams } = endpoint.socketCounters;
  return { bytes, seconds: took, sentDatagrams, lostPackets, rttMs, ...usage() };
}

async function measureLatency(
  connection: QuicConnection,
  { count, load }: { count: number; load: boolean },
): Promise<LatencyReport> {
  let isOver = false;
  const loading = load ? keepBusy(connection, () => isOver) : Promise.resolve();
  const times: number[] = [];
  const request = new Uint8Array(REQUEST_BYTES).fill(WANTS.answer);
  const buffer = new Uint8Array(ANSWER_BYTES);
  for (let i = 0; i < count; i++) {
    const startMs = performance.now();
    const { send, recv } = await connection.openBidi();
    await send.write(request);
    await send.finish();
    await readOn(recv, buffer);
    times.push(performance.now() - startMs);
  }
  isOver = true;
  await loading;
  times.sort((a, b) => a - b);
  const quantile = (q: number) => times[Math.min(times.length - 1, Math.floor(times.length * q))]!;
  return { requests: count, p50Ms: quantile(0.5), p99Ms: quantile(0.99), ...usage() };
}

/** Four streams full of bytes beside the requests. */
async function keepBusy(connection: QuicConnection, isOver: () => boolean): Promise<void> {
  const block = new Uint8Array(BLOCK_BYTES);
  await Promise.all(Array.from({ length: 4 }, async () => {
    const { send, recv } = await connection.openBidi();
    while (!isOver()) await send.write(block);
    await send.finish();
    await readOn(recv, new Uint8Array(16));
  }));
}

async function shakeHands(
  dial: () => Promise<QuicConnection>,
  count: number,
): Promise<ConnectionsReport> {
  const startMs = performance.now();
  for (let i = 0; i < count; i++) await (await dial()).close(0);
  return { connections: count, seconds: (performance.now() - startMs) / 1000, ...usage() };
}

/** Opens many connections, has each served once while all are open, then closes them. */
async function hold(
  dial: () => Promise<QuicConnection>,
  count: number,
): Promise<ConnectionsReport> {
  const startMs = performance.now();
  const open: QuicConnection[] = [];
  for (let i = 0; i < count; i++) open.push(await dial());
  const served = await Promise.all(open.map(async (connection) => {
    const { send, recv } = await connection.openBidi();
    await send.write(new Uint8Array(REQUEST_BYTES).fill(WANTS.answer));
    await send.finish();
    const buffer = new Uint8Array(ANSWER_BYTES);
    let bytes = 0;
    for (let n; (n = await recv.read(buffer)) !== null;) bytes += n;
    return bytes === ANSWER_BYTES;
  }));
  const seconds = (performance.now() - startMs) / 1000;
  for (const connection of open) await connection.close(0);
  return { connections: served.filter(Boolean).length, seconds, ...usage() };
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  // The largest resident size, in KiB.
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  return { cpuSeconds: (user + system) / 1e6, peakBytes };
}

function print(report: object): void {
  console.log(JSON.stringify(report));
}
