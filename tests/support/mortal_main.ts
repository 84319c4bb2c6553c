/**
 * landropic as `main.ts` runs it, in a process that dies by SIGKILL at one point of its work: right
 * before or after anything that touches the disk of a folder, the index, or tells the peer that
 * something is done; or once so many bytes have arrived.
 *
 * `MORTAL_LOG` names a file that gets a line for each point passed; `MORTAL_AT` is the number of the
 * point to die at, counted from 0; `MORTAL_READ` and `MORTAL_WRITTEN` the number of bytes read from
 * streams, or written to them, to die after.
 * Nothing of the product knows of it: the methods that matter are wrapped here.
 */
import { main } from "../../src/cli/mod.ts";
import { Database } from "../../src/index/database.ts";
import { RecvStream } from "../../src/quic/recv_stream.ts";
import { BATCH_TIME_MS, CommitBatch } from "../../src/store/commit_batch.ts";
import { SendStream } from "../../src/quic/send_stream.ts";
import { LinuxRoot } from "../../src/store/linux/linux_root.ts";
import { PeerLink } from "../../src/sync/link/peer_link.ts";

const log = Deno.env.get("MORTAL_LOG");
const dieAt = Number(Deno.env.get("MORTAL_AT") ?? "-1");
let bytesLeft = Number(Deno.env.get("MORTAL_READ") ?? "Infinity");
let writesLeft = Number(Deno.env.get("MORTAL_WRITTEN") ?? "Infinity");
let points = 0;

/** The numbered steps of what a receiver does (docs/protocol.md, "Durability"). */
type Step = "stage" | "flush" | "change" | "dirs" | "index" | "tell";

function pass(step: Step, what: string): void {
  if (log !== undefined) Deno.writeTextFileSync(log, `${step} ${what}\n`, { append: true });
  if (points++ === dieAt) Deno.kill(Deno.pid, "SIGKILL");
}

// The points are to be the same ones on a slow machine: there no batch ends because its time is up.
if (log !== undefined || dieAt >= 0) {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = ((act: () => void, ms?: number) =>
    setTimeout(act, ms === BATCH_TIME_MS ? 100 * BATCH_TIME_MS : ms)) as typeof setTimeout;
}

/** Replaces a method by one that passes points before and after. */
function wrap<T, K extends keyof T & string>(
  prototype: T,
  name: K,
  make: (original: T[K]) => T[K],
): void {
  prototype[name] = make(prototype[name]);
}

let isChanging = false;

wrap(CommitBatch.prototype, "add", (add) =>
  function (this: CommitBatch, change) {
    pass("stage", change.kind);
    add.call(this, change);
  });
wrap(LinuxRoot.prototype, "flushFiles", (flush) =>
  async function (this: LinuxRoot, files) {
    pass("flush", `${files.length} files`);
    await flush.call(this, files);
    pass("flush", "done");
  });
wrap(LinuxRoot.prototype, "beginChanges", (begin) =>
  function (this: LinuxRoot) {
    isChanging = true;
    begin.call(this);
  });
wrap(LinuxRoot.prototype, "endChanges", (end) =>
  function (this: LinuxRoot) {
    isChanging = false;
    const touched = end.call(this);
    const flush = touched.flush.bind(touched);
    touched.flush = async () => {
      pass("dirs", `${touched.count}`);
      await flush();
      pass("dirs", "done");
    };
    return touched;
  });
for (
  const name of [
    "makeDir",
    "removeDir",
    "removeFile",
    "symlink",
    "chmod",
    "setTimes",
    "rename",
    "exchange",
    "link",
    "publish",
  ] as const
) {
  const original = LinuxRoot.prototype[name] as (...args: unknown[]) => void;
  (LinuxRoot.prototype as unknown as Record<string, unknown>)[name] = function (
    this: LinuxRoot,
    ...args: unknown[]
  ) {
    if (isChanging) {
      pass(
        "change",
        `${name} ${args.filter((a) => typeof a === "string").join(" ")}`,
      );
    }
    original.apply(this, args);
  };
}
wrap(
  Database.prototype,
  "transaction",
  (transaction) =>
    function <R>(this: Database, durable: boolean, body: () => R): R {
      pass("index", durable ? "durable" : "");
      const result = transaction.call(this, durable, body) as R;
      pass("index", "done");
      return result;
    },
);
wrap(PeerLink.prototype, "send", (send) =>
  async function (this: PeerLink, message) {
    const isEnd = message.type === "sync-result" || message.type === "sync-ack";
    if (isEnd) pass("tell", message.type);
    await send.call(this, message);
    if (isEnd) pass("tell", `${message.type} sent`);
  });
wrap(RecvStream.prototype, "read", (read) =>
  async function (this: RecvStream, into) {
    const count = await read.call(this, into);
    bytesLeft -= count ?? 0;
    if (bytesLeft < 0) Deno.kill(Deno.pid, "SIGKILL");
    return count;
  });
wrap(SendStream.prototype, "write", (write) =>
  async function (this: SendStream, bytes) {
    const { length } = bytes;
    await write.call(this, bytes);
    writesLeft -= length;
    if (writesLeft < 0) Deno.kill(Deno.pid, "SIGKILL");
  });

Deno.exit(await main(Deno.args));
