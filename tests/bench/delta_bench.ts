/**
 * What the getter's side makes of edited, copied and interrupted files: time of whole sessions, bytes on
 * the wire, memory. Two folders and both ends in one process, over an in-memory connection; put the
 * folders on tmpfs to leave the disk out of it.
 *
 *     TMPDIR=/dev/shm deno run -A --v8-flags=--expose-gc tests/bench/delta_bench.ts
 *
 * Options: `--mib 1024` bytes of the file, `--runs 3`, `--only insert`.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { memoryTransportPair } from "../support/memory_transport.ts";
import { type RunOptions, runSession } from "../support/session_pair.ts";
import { testDevice } from "../support/test_device.ts";
import { temporaryFolder } from "../support/tree.ts";
import { noise } from "../store/chunks/reference.ts";

const MIB = 2 ** 20;

interface Result {
  readonly seconds: number;
  /** Of both ends. On a busy machine the figure to go by. */
  readonly cpuSeconds: number;
  readonly wireBytes: number;
  readonly fetched: number;
  readonly reused: number;
  readonly rssMib: number;
}

/** An edit of the source folder's file `f`. */
type Edit = (path: string, mib: number) => void;

const EDITS: { readonly [name: string]: Edit } = {
  "insert at front": (path) =>
    rewrite(path, (old, write) => {
      write(new Uint8Array([7]));
      old(0, Infinity);
    }),
  "insert in the middle": (path, mib) =>
    rewrite(path, (old, write) => {
      old(0, mib * MIB / 2 + 77);
      write(new Uint8Array([7]));
      old(mib * MIB / 2 + 77, Infinity);
    }),
  "change in place": (path, mib) => {
    using file = Deno.openSync(path, { write: true });
    file.seekSync(mib * MIB / 2, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array([1, 2, 3]));
  },
  "append": (path) => {
    using file = Deno.openSync(path, { append: true });
    file.writeSync(noise(1000, "tail"));
  },
  "copy": (path) => Deno.copyFileSync(path, `${path}-copy`),
  "swap halves": (path, mib) =>
    rewrite(path, (old) => {
      old(mib * MIB / 2, Infinity);
      old(0, mib * MIB / 2);
    }),
  "touch": () => {},
};

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      mib: { type: "string", default: "1024" },
      runs: { type: "string", default: "3" },
      only: { type: "string", default: "" },
    },
  });
  const mib = Number(values.mib);
  for (const [name, edit] of Object.entries(EDITS)) {
    if (!name.includes(values.only)) continue;
    for (let run = 0; run < Number(values.runs); run++) {
      const { first, second } = await measure(edit, mib);
      if (run === 0) console.log(`first copy of ${mib} MiB: ${describe(first)}`);
      console.log(`${name.padEnd(22)} ${describe(second)}`);
    }
  }
}

async function measure(edit: Edit, mib: number): Promise<{ first: Result; second: Result }> {
  using temporary = temporaryFolder();
  const { path } = temporary;
  const a = testDevice(`${path}/home-a`, "A");
  const b = testDevice(`${path}/home-b`, "B");
  Deno.mkdirSync(`${path}/left`);
  Deno.mkdirSync(`${path}/right`);
  const file = `${path}/left/f`;
  write(file, mib);
  Deno.utimeSync(file, 1_600_000_000, 1_600_000_000);
  const first = await session(() => ({}));
  edit(file, mib);
  Deno.utimeSync(file, 1_650_000_000, 1_650_000_000);
  const second = await session(() => ({}));
  return { first, second };

  async function session(options: () => RunOptions): Promise<Result> {
    const transports = memoryTransportPair();
    let rss = 0;
    const timer = setInterval(() => rss = Math.max(rss, Deno.memoryUsage().rss), 20);
    const begin = performance.now();
    const cpu = process.cpuUsage();
    const { summary, errors } = await runSession(a, `${path}/left`, b, `${path}/right`, {
      ...options(),
      transports,
    });
    const seconds = (performance.now() - begin) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    clearInterval(timer);
    if (errors.length > 0) throw new Error(JSON.stringify(errors));
    return {
      seconds,
      cpuSeconds: (user + system) / 1e6,
      wireBytes: transports[0].bytesSent + transports[1].bytesSent,
      fetched: summary.bytesSent,
      reused: summary.bytesReused,
      rssMib: rss / MIB,
    };
  }
}

function write(path: string, mib: number): void {
  const block = noise(16 * MIB, "bench");
  const words = new Uint32Array(block.buffer);
  using file = Deno.openSync(path, { write: true, create: true });
  for (let left = mib; left > 0; left -= 16) {
    // Another block each time, in the time a copy takes.
    for (let i = 0; i < words.length; i++) words[i] = Math.imul(words[i]! ^ left, 0x9e3779b1) + i;
    file.writeSync(block.subarray(0, Math.min(left, 16) * MIB));
  }
}

function rewrite(
  path: string,
  make: (old: (from: number, to: number) => void, write: (bytes: Uint8Array) => void) => void,
): void {
  {
    using from = Deno.openSync(path);
    using to = Deno.openSync(`${path}-new`, { write: true, create: true });
    const buffer = new Uint8Array(MIB);
    make((start, end) => {
      from.seekSync(start, Deno.SeekMode.Start);
      for (let left = end - start; left > 0;) {
        const count = from.readSync(buffer.subarray(0, Math.min(left, buffer.length)));
        if (count === null) return;
        for (let at = 0; at < count;) at += to.writeSync(buffer.subarray(at, count));
        left -= count;
      }
    }, (bytes) => to.writeSync(bytes));
  }
  Deno.renameSync(`${path}-new`, path);
}

function describe({ seconds, cpuSeconds, wireBytes, fetched, reused, rssMib }: Result): string {
  return `${seconds.toFixed(2)} s (${cpuSeconds.toFixed(2)} s of CPU), ${
    (wireBytes / 1000).toFixed(1)
  } KB on the wire, ` +
    `${fetched} fetched, ${reused} reused, ${rssMib.toFixed(0)} MiB`;
}
