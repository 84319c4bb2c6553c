import type { Clock } from "../../base/clock.ts";
import { LandropicError } from "../../base/errors.ts";
import { ByteReader, ByteWriter } from "../../base/varint.ts";
import { STREAM_CODE } from "../../base/wire_codes.ts";
import { type Bench, type BenchDirection, ProtocolError } from "../../protocol/mod.ts";
import type { PeerLink } from "../link/peer_link.ts";
import { type DuplexStream, type ReceiveSide, type SendSide, URGENCY } from "../link/transport.ts";

/** How long the bytes of a measurement may still arrive after its time. */
const GRACE_MS = 10_000;
/** Bytes of one write. */
const WRITE_BYTES = 256 * 1024;
/** Two varints of eight bytes at most. */
const REPORT_BYTES_MAX = 16;

/** What went through in one direction, as the receiver of the bytes saw it. */
export interface Throughput {
  readonly bytes: number;
  /** From the first byte to the last one. */
  readonly seconds: number;
  /** Bytes a second. */
  readonly rate: number;
}

/**
 * Measures one direction over one stream: bytes of no meaning for a time.
 *
 * @param durationMs From 1 to `BENCH_MS_MAX`.
 * @throws {LandropicError} `protocol` if the peer does not know how; whatever ends the connection.
 */
export async function measureThroughput(
  link: PeerLink,
  direction: BenchDirection,
  options: { readonly durationMs: number; readonly clock: Clock },
): Promise<Throughput> {
  const { durationMs, clock } = options;
  const request: Bench = { kind: "bench", session: 0, direction, durationMs };
  const stream = await link.request(request, URGENCY.largeFiles);
  try {
    if (direction === "upload") {
      await pour(stream.send, durationMs, clock);
      return await readReport(stream.recv);
    }
    await stream.send.finish();
    const counted = await drain(stream.recv, durationMs + GRACE_MS, clock);
    return throughputOf(counted.bytes, counted.micros);
  } catch (error) {
    stream.recv.stop(STREAM_CODE.cancelled);
    throw explained(error);
  }
}

/** Answers a measurement. @throws whatever ends the connection, or the stream. */
export async function serveBench(
  request: Bench,
  stream: DuplexStream,
  clock: Clock,
): Promise<void> {
  if (request.direction === "download") return await pour(stream.send, request.durationMs, clock);
  const { bytes, micros } = await drain(stream.recv, request.durationMs + GRACE_MS, clock);
  await stream.send.write(new ByteWriter(REPORT_BYTES_MAX).varint(bytes).varint(micros).finish());
  await stream.send.finish();
}

/** Sends for a time, then the end. */
async function pour(send: SendSide, durationMs: number, clock: Clock): Promise<void> {
  const piece = new Uint8Array(WRITE_BYTES);
  const endMs = clock.nowMs() + durationMs;
  do await send.write(piece); while (clock.nowMs() < endMs);
  await send.finish();
}

/** Counts what comes until the end, or for so long. */
async function drain(
  recv: ReceiveSide,
  durationMsMax: number,
  clock: Clock,
): Promise<{ bytes: number; micros: number }> {
  const buffer = new Uint8Array(WRITE_BYTES);
  let bytes = 0;
  let startMs = 0;
  let lastMs = 0;
  for (let count; (count = await recv.read(buffer)) !== null;) {
    if (count === 0) continue;
    lastMs = clock.nowMs();
    if (bytes === 0) startMs = lastMs;
    bytes += count;
    if (lastMs - startMs > durationMsMax) {
      recv.stop(STREAM_CODE.limit);
      break;
    }
  }
  return { bytes, micros: Math.round((lastMs - startMs) * 1000) };
}

async function readReport(recv: ReceiveSide): Promise<Throughput> {
  const buffer = new Uint8Array(REPORT_BYTES_MAX + 1);
  let length = 0;
  for (let count; (count = await recv.read(buffer.subarray(length))) !== null;) {
    length += count;
    if (length > REPORT_BYTES_MAX) throw new ProtocolError("Report of a measurement is too long");
  }
  try {
    const reader = new ByteReader(buffer.subarray(0, length));
    return throughputOf(reader.varint(), reader.varint());
  } catch (error) {
    if (error instanceof RangeError) throw new ProtocolError("Report of a measurement refused");
    throw error;
  }
}

function throughputOf(bytes: number, micros: number): Throughput {
  const seconds = micros / 1_000_000;
  return { bytes, seconds, rate: seconds > 0 ? bytes / seconds : 0 };
}

/** Says in the user's terms why the peer ended the stream. */
function explained(error: unknown): unknown {
  const { streamCode } = error as { streamCode?: unknown };
  if (streamCode === STREAM_CODE.busy) {
    return new LandropicError(
      "failed",
      "The peer is measuring already",
      "try again later",
      error,
    );
  }
  // What a peer does with every request that it does not know.
  if (streamCode === STREAM_CODE.corrupt) {
    return new LandropicError(
      "protocol",
      "The peer can't measure throughput",
      "update landropic there",
      error,
    );
  }
  return error;
}
