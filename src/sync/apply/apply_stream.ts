import { BlockReader, BlockWriter, RecordReader } from "../../protocol/mod.ts";
import type { DuplexStream } from "../link/transport.ts";
import type { Operation, Outcome } from "./operation.ts";
import type { OperationPart } from "./operation_list.ts";
import {
  decodeOperation,
  decodeOutcome,
  encodeOutcome,
  OPERATION_BYTES_MAX,
} from "./operation_codec.ts";
import { type ByteReader, ByteWriter } from "../../base/varint.ts";

/**
 * Sends operations and gives back the peer's outcomes as they come; resolves when the last one is in.
 *
 * @param options.onSent Hears that there are no more to send.
 */
export async function sendOperations(
  stream: DuplexStream,
  parts: AsyncIterable<OperationPart> | Iterable<OperationPart>,
  options: {
    readonly compress: boolean;
    readonly onOutcome: (outcome: Outcome) => void;
    readonly onSent?: () => void;
  },
): Promise<void> {
  await Promise.all([
    writeOperations(stream, parts, options.compress).then(options.onSent),
    readOutcomes(stream, options.onOutcome),
  ]);
}

/**
 * The operations that a peer sends, each checked, some at once, as far as they are at hand. What is at hand
 * never waits for the next block, of which there may be hundreds.
 */
export async function* readOperations(stream: DuplexStream): AsyncGenerator<Operation[]> {
  const records = new RecordReader(new BlockReader((into) => stream.recv.read(into)));
  while (!(await records.atEnd())) {
    let operations: Operation[] = [];
    do {
      const coming = records.record(RECORD_BYTES_MAX, readOperation);
      if (!(coming instanceof Promise)) {
        operations.push(coming);
        continue;
      }
      // It lies across two blocks. Whoever takes the portion may never ask for another.
      coming.catch(() => {});
      if (operations.length > 0) yield operations;
      operations = [await coming];
    } while (records.hasMoreAtHand && operations.length < PORTION_MAX);
    yield operations;
  }
}

/** Sends outcomes in the order given, together where several are at hand. */
export class OutcomeSender {
  readonly #out: BlockWriter;
  readonly #stream: DuplexStream;
  readonly #writer = new ByteWriter(256);
  #queue: Outcome[] = [];
  #sending: Promise<void> = Promise.resolve();

  constructor(stream: DuplexStream, compress: boolean) {
    this.#stream = stream;
    this.#out = new BlockWriter((bytes) => stream.send.write(bytes), { compress });
  }

  /** Sends soon. A failure shows in {@linkcode finish}. */
  push(outcome: Outcome): void {
    this.#queue.push(outcome);
    if (this.#queue.length === 1) this.#sending = this.#sending.then(() => this.#drain());
    this.#sending.catch(() => {});
  }

  /** Sends what is left and the end. */
  async finish(): Promise<void> {
    await this.#sending;
    await this.#out.finish();
    await this.#stream.send.finish();
  }

  async #drain(): Promise<void> {
    const outcomes = this.#queue;
    this.#queue = [];
    for (const outcome of outcomes) {
      const pending = writeLv(this.#out, encodeOutcome(outcome, this.#writer));
      if (pending !== undefined) await pending;
    }
    await this.#out.flush();
  }
}

async function writeOperations(
  stream: DuplexStream,
  parts: AsyncIterable<OperationPart> | Iterable<OperationPart>,
  compress: boolean,
): Promise<void> {
  const out = new BlockWriter((bytes) => stream.send.write(bytes), { compress });
  for await (const part of parts) {
    for (const operation of part.framed()) {
      const pending = out.write(operation);
      if (pending !== undefined) await pending;
    }
    // The next part may take a while.
    if (!part.isLast) await out.flush();
  }
  await out.finish();
  await stream.send.finish();
}

async function readOutcomes(
  stream: DuplexStream,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  const records = new RecordReader(new BlockReader((into) => stream.recv.read(into)));
  while (!(await records.atEnd())) {
    do {
      const coming = records.record(RECORD_BYTES_MAX, readOutcome);
      onOutcome(coming instanceof Promise ? await coming : coming);
    } while (records.hasMoreAtHand);
  }
}

function readOperation(from: ByteReader): Operation {
  return decodeOperation(from.lv(OPERATION_BYTES_MAX));
}

function readOutcome(from: ByteReader): Outcome {
  return decodeOutcome(from.lv(OPERATION_BYTES_MAX));
}

/** Something to wait for only where a block went out; the bytes may be a view that changes soon. */
function writeLv(out: BlockWriter, bytes: Uint8Array): Promise<void> | undefined {
  length.clear();
  const pending = out.write(length.varint(bytes.length).view());
  if (pending === undefined) return out.write(bytes);
  const copy = bytes.slice();
  return pending.then(() => out.write(copy));
}

/** Operations in one portion: a block holds thousands, and work on the first need not wait for the last. */
const PORTION_MAX = 256;

const length = new ByteWriter(8);
/** With the length in front. */
const RECORD_BYTES_MAX = 8 + OPERATION_BYTES_MAX;
