/** The one owner of stdout and stderr: buffering, closed pipes, and the status line below. */

/** What an output needs from the system; tests give arrays. */
export interface OutputPort {
  /** Writes some of the bytes, waiting if it must; returns how many. Throws as `Deno` does. */
  writeSync(bytes: Uint8Array): number;
  readonly isTerminal: boolean;
}

/** What happens to an output that cannot go on. */
export interface OutputEvents {
  /** The reader of stdout is gone. Called once. */
  onBrokenPipe(): void;
  /** Stdout cannot be written, say since the disk is full. Called once. */
  onFailure(error: unknown): void;
}

/**
 * Text on stdout and stderr in the order it was written, and one status line (the progress bar)
 * that lives at the bottom of stderr and gives way to text.
 *
 * Stdout is gathered and written once per turn of the event loop, or at `STDOUT_BUFFER_CHARS`, since
 * a line at a time would cost a system call each. Writes block: who does not read stops the command,
 * as with other tools, and memory stays bounded.
 */
export class Output {
  readonly #stdout: OutputPort;
  readonly #stderr: OutputPort;
  readonly #events: OutputEvents;
  #pending = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #status = "";
  #closed = false;

  constructor(stdout: OutputPort, stderr: OutputPort, events: OutputEvents) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#events = events;
  }

  /** Adds text to stdout; the caller ends its lines. */
  out(text: string): void {
    if (this.#closed) return;
    if (this.#pending.length + text.length >= STDOUT_BUFFER_CHARS) return this.outAtOnce(text);
    if (this.#stdout.isTerminal) this.#clearStatus();
    this.#pending += text;
    this.#timer ??= setTimeout(() => this.flush(), 0);
  }

  /**
   * Writes text to stdout at once, for a run that has nothing else to say: the first timer of a process
   * costs it 10 ms, since the runtime loads modules for it.
   */
  outAtOnce(text: string): void {
    if (this.#closed) return;
    if (this.#stdout.isTerminal) this.#clearStatus();
    this.#pending += text;
    this.flush();
  }

  /** Writes text to stderr at once, after what stdout still holds back. */
  err(text: string): void {
    this.flush();
    this.#clearStatus();
    this.#writeErr(text);
  }

  /**
   * Draws the status line, in place of the one before. Nothing where stderr is no terminal.
   *
   * @param line Printable and narrower than the terminal; the empty text takes the line away.
   */
  status(line: string): void {
    if (!this.#stderr.isTerminal || line === this.#status) return;
    if (line === "") return this.#clearStatus();
    this.flush();
    this.#writeErr(`\r${line}\x1b[K`);
    this.#status = line;
  }

  /** Writes what stdout holds back. */
  flush(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending === "") return;
    const text = this.#pending;
    this.#pending = "";
    if (this.#closed) return;
    try {
      writeAll(this.#stdout, text);
    } catch (error) {
      this.#closed = true;
      if (isBrokenPipe(error)) this.#events.onBrokenPipe();
      else this.#events.onFailure(error);
    }
  }

  #clearStatus(): void {
    if (this.#status === "") return;
    this.#status = "";
    this.#writeErr("\r\x1b[K");
  }

  #writeErr(text: string): void {
    try {
      writeAll(this.#stderr, text);
    } catch {
      // There is nowhere left to say it.
    }
  }
}

function writeAll(port: OutputPort, text: string): void {
  let bytes = encoder.encode(text);
  for (let refusals = 0; bytes.length > 0;) {
    try {
      const written = port.writeSync(bytes);
      bytes = bytes.subarray(written);
      if (written > 0) refusals = 0;
    } catch (error) {
      // A pipe that someone else made non-blocking is full: wait for its reader.
      if (!isWouldBlock(error) || ++refusals > WOULD_BLOCK_TRIES_MAX) throw error;
      Atomics.wait(sleeper, 0, 0, WOULD_BLOCK_PAUSE_MS);
    }
  }
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe;
}

function isWouldBlock(error: unknown): boolean {
  return error instanceof Deno.errors.WouldBlock;
}

/** Characters of stdout held back at most. */
export const STDOUT_BUFFER_CHARS = 64 * 1024;

const WOULD_BLOCK_PAUSE_MS = 2;
/** A minute in all. */
const WOULD_BLOCK_TRIES_MAX = 30_000;

const encoder = new TextEncoder();
const sleeper = new Int32Array(new SharedArrayBuffer(4));
