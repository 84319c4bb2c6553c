/**
 * What processes use: processor time and memory, of a program together with all that it starts. Linux
 * tells by /proc; elsewhere nothing is known.
 */

/** Kernel ticks a second in /proc; 100 on every Linux since 2.6. */
const TICKS_PER_SECOND = 100;
/** Peaks only grow, so that rare looks miss little. */
const LOOK_INTERVAL_MS = 25;

/** Processor seconds, in user mode and in the kernel, of a process and of its children that ended. */
export function cpuSeconds(pid: number): number {
  const fields = statFields(pid);
  // utime, stime, cutime, cstime: fields 14 to 17 of proc_pid_stat(5), of which the first two are cut off.
  return fields === undefined ? NaN : sum(fields.slice(11, 15)) / TICKS_PER_SECOND;
}

/** Processor seconds of the children of this process that have ended and were waited for. */
export function childrenCpuSeconds(): number {
  const fields = statFields(Deno.pid);
  return fields === undefined ? NaN : sum(fields.slice(13, 15)) / TICKS_PER_SECOND;
}

/** Watches the memory of processes and their children until it is disposed. */
export class MemoryWatch implements Disposable {
  readonly #pid: number;
  readonly #peaks = new Map<number, number>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(pid: number) {
    this.#pid = pid;
    // Else the peak would be of something that it did long ago.
    tryWrite(`/proc/${pid}/clear_refs`, "5");
    this.#timer = setInterval(() => this.look(), LOOK_INTERVAL_MS);
  }

  /** Bytes at the highest, summed over the processes seen; NaN where the system doesn't tell. */
  get peakBytes(): number {
    return this.#peaks.size === 0 ? NaN : sum([...this.#peaks.values()]);
  }

  /** Takes a look now. */
  look(): void {
    const open = [this.#pid];
    for (let pid; (pid = open.pop()) !== undefined;) {
      const peak = /^VmHWM:\s+(\d+) kB$/m.exec(tryRead(`/proc/${pid}/status`) ?? "");
      if (peak === null) continue;
      this.#peaks.set(pid, Math.max(Number(peak[1]) * 1024, this.#peaks.get(pid) ?? 0));
      const children = tryRead(`/proc/${pid}/task/${pid}/children`) ?? "";
      for (const child of children.split(" ")) if (child !== "") open.push(Number(child));
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** The fields behind the program's name, which itself may hold anything. */
function statFields(pid: number): number[] | undefined {
  const stat = tryRead(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
}

function tryRead(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    // Ended meanwhile, or not Linux.
    return undefined;
  }
}

function tryWrite(path: string, text: string): void {
  try {
    Deno.writeTextFileSync(path, text);
  } catch {
    // As above.
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
