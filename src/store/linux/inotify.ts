import { E, type Libc, loadLibc, nameOfErrno } from "./libc.ts";
import { CString, scratch } from "./scratch.ts";

/** What happened to a name in a watched directory, or to the directory itself (inotify(7)). */
export interface InotifyEvent {
  /** The watch, as {@linkcode Inotify.watch} gave it. */
  readonly watch: number;
  /** A set of {@linkcode IN}. */
  readonly mask: number;
  /** Bytes that are no UTF-8 are replaced; "" for the directory itself. */
  readonly name: string;
}

/** Bits of `mask`. */
export const IN = {
  MODIFY: 0x2,
  ATTRIB: 0x4,
  MOVED_FROM: 0x40,
  MOVED_TO: 0x80,
  CREATE: 0x100,
  DELETE: 0x200,
  DELETE_SELF: 0x400,
  MOVE_SELF: 0x800,
  UNMOUNT: 0x2000,
  /** Events were lost. */
  Q_OVERFLOW: 0x4000,
  /** The watch is gone. */
  IGNORED: 0x8000,
  ISDIR: 0x4000_0000,
} as const;

const WATCHED = IN.MODIFY | IN.ATTRIB | IN.MOVED_FROM | IN.MOVED_TO | IN.CREATE | IN.DELETE |
  IN.DELETE_SELF | IN.MOVE_SELF;
const ONLYDIR = 0x0100_0000;
const DONT_FOLLOW = 0x0200_0000;
const EXCL_UNLINK = 0x0400_0000;
const NONBLOCK_CLOEXEC = 0o2004000;
const POLLIN = 1;
/** How long one `poll` lasts at most, so that an abandoned thread does not outlive its owner for long. */
const POLL_MS = 1_000;
/** Between two runs of events. */
const PAUSE_MS = 10;
/** Room for hundreds of events; the kernel keeps what does not fit. */
const READ_BYTES = 64 * 1024;
/** `struct inotify_event` without its name. */
const HEAD_BYTES = 16;

/** The kernel's events of directories, each watched by itself; links are not followed. */
export class Inotify implements Disposable {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #path = new CString();
  readonly #buffer = scratch(READ_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  /** A `struct pollfd`. */
  readonly #poll = scratch(8);
  #isOpen = true;
  /** No more events are wanted. */
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isWaiting = false;

  /** @returns `undefined` where the system has none of it. @throws {Error} if it allows no more. */
  static open(): Inotify | undefined {
    const libc = loadLibc();
    if (libc === undefined) return undefined;
    const fd = libc.call.inotify_init1(NONBLOCK_CLOEXEC);
    if (fd < 0) throw new Error(`no events from the system: ${nameOfErrno(libc.errno())}`);
    return new Inotify(libc, fd);
  }

  private constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
    const poll = new DataView(this.#poll.buffer);
    poll.setInt32(0, fd, true);
    poll.setInt16(4, POLLIN, true);
  }

  /**
   * Watches a directory: 2 µs.
   *
   * @returns Its watch; the same as before where it is watched already, under whatever path. `undefined` if
   * there is no such directory, or it may not be read.
   * @throws {Error} where the system allows no more.
   */
  watch(path: string): number | undefined {
    if (!this.#path.set(path)) return undefined;
    const mask = WATCHED | ONLYDIR | DONT_FOLLOW | EXCL_UNLINK;
    const watch = this.#libc.call.inotify_add_watch(this.#fd, this.#path.bytes, mask);
    if (watch >= 0) return watch;
    const errno = this.#libc.errno();
    if (errno !== E.NOSPC && errno !== E.NOMEM) return undefined;
    throw new Error("the system watches no more folders (fs.inotify.max_user_watches)");
  }

  /** Ends a watch; events on their way still come. */
  unwatch(watch: number): void {
    this.#libc.call.inotify_rm_watch(this.#fd, watch);
  }

  /** Events as they come, in runs; ends when it is disposed. */
  async *runs(): AsyncGenerator<InotifyEvent[]> {
    while (!this.#isClosed) {
      this.#isWaiting = true;
      await this.#libc.call.poll(this.#poll, 1, POLL_MS);
      this.#isWaiting = false;
      if (this.#isClosed) break;
      const run = this.#read();
      if (run.length > 0) yield run;
      if (this.#isClosed) break;
      // A program that writes without end is not worth being woken for each of its events.
      await this.#pause();
    }
    this.#close();
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (!this.#isWaiting) return this.#close();
    // Closing a descriptor that another thread polls is undefined: the end of a watch is an event, too.
    const watch = this.watch("/");
    if (watch !== undefined) this.unwatch(watch);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#timer = setTimeout(resolve, PAUSE_MS));
  }

  #read(): InotifyEvent[] {
    const length = this.#libc.call.read(this.#fd, this.#buffer, READ_BYTES);
    const events: InotifyEvent[] = [];
    for (let at = 0; at < length;) {
      const nameBytes = this.#view.getUint32(at + 12, true);
      const name = this.#buffer.subarray(at + HEAD_BYTES, at + HEAD_BYTES + nameBytes);
      const end = name.indexOf(0);
      events.push({
        watch: this.#view.getInt32(at, true),
        mask: this.#view.getUint32(at + 4, true),
        name: decoder.decode(end < 0 ? name : name.subarray(0, end)),
      });
      at += HEAD_BYTES + nameBytes;
    }
    return events;
  }

  #close(): void {
    if (this.#isOpen) this.#libc.call.close(this.#fd);
    this.#isOpen = false;
  }
}

const decoder = new TextDecoder();
