/** Reading stdin: one line, or all of it. */
import { UsageError } from "../base/errors.ts";

/** What reading needs from the system. */
export interface InputPort {
  /** Waits for some bytes; null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  readonly isTerminal: boolean;
}

/** A line longer than this is not read to its end. */
export const LINE_BYTES_MAX = 64 * 1024;

/** All of stdin may be this long. */
export const INPUT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Reads stdin. What follows a line that was read stays for the next read.
 */
export class LineInput {
  readonly #port: InputPort;
  #rest = new Uint8Array(0);
  #ended = false;

  constructor(port: InputPort) {
    this.#port = port;
  }

  /** True where a person may be typing. */
  get isTerminal(): boolean {
    return this.#port.isTerminal;
  }

  /**
   * Reads up to the next line break, which is dropped; at the end of input the empty text.
   *
   * @throws {UsageError} on a line over `LINE_BYTES_MAX` and on bytes that are not UTF-8.
   */
  async readLine(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(NEWLINE);
      if (end >= 0 || this.#ended) {
        const line = this.#take(end < 0 ? this.#rest.length : end + 1);
        return decode(line).replace(/\r?\n$/, "");
      }
      await this.#fill(LINE_BYTES_MAX, "a line");
    }
  }

  /**
   * Reads to the end.
   *
   * @throws {UsageError} over `INPUT_BYTES_MAX` and on bytes that are not UTF-8.
   */
  async readAll(): Promise<string> {
    while (!this.#ended) await this.#fill(INPUT_BYTES_MAX, "the text");
    return decode(this.#take(this.#rest.length));
  }

  #take(length: number): Uint8Array {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  async #fill(bytesMax: number, what: string): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    const count = await this.#port.read(buffer);
    if (count === null) {
      this.#ended = true;
      return;
    }
    const joined = new Uint8Array(this.#rest.length + count);
    joined.set(this.#rest);
    joined.set(buffer.subarray(0, count), this.#rest.length);
    this.#rest = joined;
    if (joined.length > bytesMax) {
      throw new UsageError(`${what} on stdin is longer than ${bytesMax} bytes`);
    }
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch (error) {
    throw new UsageError("stdin is not UTF-8 text", undefined, error);
  }
}

const READ_BYTES = 16 * 1024;
const NEWLINE = 0x0a;
const strictDecoder = new TextDecoder("utf-8", { fatal: true });
