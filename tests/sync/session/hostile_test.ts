/** A paired peer that does not keep to the protocol, on either side of a session. */
import assert from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { PackedBytes } from "../../../src/base/packed_bytes.ts";
import { type DirPath, joinPath, type RelPath } from "../../../src/base/paths.ts";
import {
  EMPTY_PAGE,
  EMPTY_SHAPE,
  encodePage,
  type Entry,
  shapeOf,
} from "../../../src/base/tree.ts";
import { EMPTY_VECTOR } from "../../../src/base/version_vector.ts";
import {
  BlockReader,
  BlockWriter,
  FEATURE_DISK_BYTES,
  FEATURE_EARLIER,
  RecordReader,
  type Request,
  STATUS,
  type SyncOpen,
  writeDigest,
  writeDir,
} from "../../../src/protocol/mod.ts";
import type { Operation } from "../../../src/sync/apply/operation.ts";
import { OperationList } from "../../../src/sync/apply/operation_list.ts";
import { encodeOperation } from "../../../src/sync/apply/operation_codec.ts";
import { PeerLink, Responder } from "../../../src/sync/mod.ts";
import { URGENCY } from "../../../src/sync/link/transport.ts";
import { type Agreement, readAgreement, writeAgreement } from "../../../src/sync/plan/agreement.ts";
import { RemoteShare } from "../../../src/sync/transfer/remote_share.ts";
import { Tally } from "../../../src/sync/session/tally.ts";
import type { Outcome } from "../../../src/sync/apply/operation.ts";
import { openByHand } from "../../support/hand_client.ts";
import { memoryTransportPair } from "../../support/memory_transport.ts";
import { serveEnd } from "../../support/served_end.ts";
import { openIndexOf, testDevice } from "../../support/test_device.ts";
import { testHello } from "../../support/test_hello.ts";
import { describeTree, temporaryFolder, writeTree } from "../../support/tree.ts";

const hello = testHello(FEATURE_EARLIER, FEATURE_DISK_BYTES);
const common = { clock: systemClock, logger: silentLogger };
const at = (path: string) => path as RelPath;
const MTIME_MS = 1_700_000_000_123;

/** A served folder, and a peer that says whatever it wants. */
async function attack(
  open: Partial<SyncOpen>,
  work: (link: PeerLink, folder: string) => Promise<void>,
  operationsMax = 1000,
): Promise<{ before: string[]; after: string[]; ancestors: number }> {
  using temporary = temporaryFolder();
  const folder = `${temporary.path}/share`;
  writeTree(folder, {
    ".landropicignore": "/private\n",
    open: "o",
    private: { key: "secret" },
    dir: { file: "f" },
  }, MTIME_MS);
  const device = testDevice(`${temporary.path}/home`, "B");
  await using index = await openIndexOf(device);
  const [left, right] = memoryTransportPair();
  await using _responder = await serveEnd(right, {
    device,
    peer: testDevice(`${temporary.path}/home-a`, "A"),
    hello,
    shares: [{ name: "default", path: folder, writable: true }],
    openIndex: () => Promise.resolve(index),
    operationsMax,
  });
  await using client = await openByHand(left, { hello, ...open });
  const before = describeTree(folder);
  await work(client.link, folder);
  return {
    before,
    after: describeTree(folder),
    ancestors: index.stats().roots.flatMap(({ ancestors }) => ancestors).length,
  };
}

/** Sends operations as they are; what comes back, or how the stream ended. */
async function apply(link: PeerLink, payloads: readonly Uint8Array[]): Promise<number> {
  const stream = await link.request({ kind: "apply", session: 1 }, URGENCY.plan);
  const out = new BlockWriter((bytes) => stream.send.write(bytes), { compress: false });
  for (const payload of payloads) {
    await out.write(new Uint8Array([0x40 | (payload.length >> 8), payload.length & 255]));
    await out.write(payload);
  }
  await out.finish();
  await stream.send.finish();
  let bytes = 0;
  for (;;) {
    const count = await stream.recv.read(new Uint8Array(1024));
    if (count === null) return bytes;
    bytes += count;
  }
}

const encoded = (operation: Operation) => encodeOperation(operation).slice();
const UNSEEN = { vector: EMPTY_VECTOR } as const;
const mkdir = (path: string) =>
  encoded({
    ...UNSEEN,
    op: "make-dir",
    path: at(path),
    mode: 0o755,
    mtimeMs: undefined,
    before: { kind: "absent" },
  });
const secret = { kind: "file", size: 6, mtimeMs: MTIME_MS } as const;

for (
  const [what, operations] of [
    ["moves an ignored folder into sight", [
      encoded({
        ...UNSEEN,
        op: "move",
        from: at("private"),
        path: at("public"),
        before: { kind: "dir" },
      }),
    ]],
    ["moves an ignored file into sight", [
      encoded({ ...UNSEEN, op: "move", from: at("private/key"), path: at("key"), before: secret }),
    ]],
    ["deletes an ignored file", [
      encoded({ ...UNSEEN, op: "remove", path: at("private/key"), before: secret }),
    ]],
    ["makes something in an ignored folder", [mkdir("private/x/y")]],
    ["leaves the folder by ..", [mkdir("../x")]],
    ["leaves the folder from its root", [mkdir("/tmp/landropic-hostile")]],
    ["reaches for landropic's own folder", [mkdir(".landropic/tmp/x"), mkdir("dir/.LANDROPIC")]],
    ["plants a link that leads out", [
      encoded({
        ...UNSEEN,
        op: "make-link",
        path: at("etc"),
        target: "/etc",
        mtimeMs: 0,
        before: { kind: "absent" },
      }),
    ]],
    ["sends bytes that are no operation", [new Uint8Array([99, 1, 2, 3])]],
  ] as [string, Uint8Array[]][]
) {
  Deno.test(`a peer that ${what} is refused, and nothing changes`, async () => {
    const { before, after } = await attack({}, async (link) => {
      await assert.rejects(apply(link, operations));
    });
    assert.deepEqual(after, before);
  });
}

for (
  const [what, open] of [
    ["only reads", { mode: "pull" }],
    ["only compares", { mode: "compare" }],
    ["only looks", { dryRun: true }],
  ] as [string, Partial<SyncOpen>][]
) {
  Deno.test(`a peer can't change anything in a session that ${what}`, async () => {
    const { before, after } = await attack(open, async (link) => {
      await assert.rejects(apply(link, [mkdir("new")]));
    });
    assert.deepEqual(after, before);
  });
}

Deno.test("a peer that sends operations twice is refused the second time", async () => {
  const { after } = await attack({}, async (link) => {
    assert.ok(await apply(link, [mkdir("once")]) > 0);
    await assert.rejects(apply(link, [mkdir("twice")]));
  });
  assert.ok(after.some((line) => line.startsWith("once/")));
  assert.ok(!after.some((line) => line.startsWith("twice/")));
});

Deno.test("a peer that sends operations without end is stopped", async () => {
  const { after } = await attack({}, async (link) => {
    await assert.rejects(apply(link, Array.from({ length: 40 }, (_, i) => mkdir(`dir${i}`))));
  }, 10);
  assert.ok(!after.some((line) => line.startsWith("dir39/")));
});

/** The end of a stream, or how it was reset. */
async function endOfStream(link: PeerLink, head: Uint8Array): Promise<number> {
  const stream = await link.request({ kind: "remember", session: 1 }, URGENCY.plan);
  await stream.send.write(head);
  let bytes = 0;
  for (let count; (count = await stream.recv.read(new Uint8Array(1024))) !== null;) bytes += count;
  return bytes;
}

Deno.test("a peer that begins to agree a second time is refused", async () => {
  await attack({}, async (link) => {
    const first = endOfStream(link, new Uint8Array([0]));
    first.catch(() => {});
    await assert.rejects(endOfStream(link, new Uint8Array([0])), /reset with 19/);
  });
});

Deno.test("a peer that asks for bytes that a file does not have, or was not offered, gets none", async () => {
  await attack({}, async (link) => {
    const remote = new RemoteShare(link, 1);
    const sink = () => {
      const failed: number[] = [];
      const begun: number[] = [];
      return {
        failed,
        begun,
        begin: (index: number) => void begun.push(index),
        bytes() {},
        end() {},
        fail: (_: number, status: number) => void failed.push(status),
      };
    };
    const open = { path: at("open"), size: 1, mtimeMs: MTIME_MS, offset: 0 };
    for (
      const range of [
        { offset: 1, length: 1 },
        { offset: Number.MAX_SAFE_INTEGER, length: Number.MAX_SAFE_INTEGER },
      ]
    ) {
      await assert.rejects(remote.getRanges(open, [range], sink()), /reset with 19/);
    }
    const denied = sink();
    const files = ["private/key", "none", "dir"].map((path) => ({ ...open, path: at(path) }));
    await remote.getFiles([...files, { ...open, offset: 2 }], denied, URGENCY.plan);
    assert.deepEqual(denied.failed, [STATUS.denied, STATUS.denied, STATUS.denied, STATUS.denied]);
    assert.deepEqual(denied.begun, []);
    assert.deepEqual(await remote.getRecipe(at("open"), [4_000]), STATUS.changed);
  });
});

for (const path of ["../x", "/etc/passwd", "a/../b", "a//b", ".landropic/folder-id", "a\0b"]) {
  Deno.test(`a request for ${JSON.stringify(path)} is refused, and harms no other`, async () => {
    await attack({}, async (link) => {
      const remote = new RemoteShare(link, 1);
      await assert.rejects(remote.getDigests([at(path)]), /reset with 19/);
      await assert.rejects(remote.getDiskBytes([at(path)]), /reset with 19/);
      assert.equal(typeof (await remote.getDigests([at("open")]))[0], "object");
    });
  });
}

Deno.test("a request whose stream stays open is answered all the same, and one cut in half is not", async () => {
  await attack({}, async (link) => {
    const request = { kind: "get-digests", session: 1, paths: [at("open")] } as const;
    const open = await link.request(request, URGENCY.plan);
    let bytes = 0;
    const buffer = new Uint8Array(1024);
    for (let count; (count = await open.recv.read(buffer)) !== null;) bytes += count;
    assert.ok(bytes > 32);
    const half = await link.request({ kind: "apply", session: 1 }, URGENCY.plan);
    await half.send.write(new Uint8Array([1, 2, 3]));
    await half.send.finish();
    await assert.rejects(half.recv.read(buffer), /reset with 19/);
  });
});

Deno.test("a peer sees nothing of what is ignored, nor of sessions that are not its own", async () => {
  await attack({}, async (link) => {
    const remote = new RemoteShare(link, 1);
    const paths = ["private/key", "open", "none"].map(at);
    const digests = await remote.getDigests(paths);
    assert.deepEqual(digests.map((answer) => typeof answer), ["number", "object", "number"]);
    assert.deepEqual(
      [digests[0], digests[2]],
      [STATUS.denied, STATUS.denied],
      "one is as the other",
    );
    const earlier = paths.map((path) => ({ path, size: 6, mtimeMs: MTIME_MS }));
    assert.deepEqual(
      await remote.getEarlier(earlier),
      [STATUS.changed, STATUS.changed, STATUS.changed],
    );
    const dirs = ["private", "none"].map((path) => ({ path: at(path), shape: EMPTY_SHAPE }));
    assert.deepEqual(await remote.getDirs(dirs), [STATUS.changed, STATUS.changed]);
    assert.equal(await remote.getRecipe(at("private/key"), []), STATUS.denied);
    await assert.rejects(new RemoteShare(link, 2).getDigests([at("open")]));
  });
});

/** Sends an agreement; rejects if it is refused. */
async function remember(link: PeerLink, agreement: Partial<Agreement>): Promise<void> {
  const stream = await link.request({ kind: "remember", session: 1 }, URGENCY.plan);
  const out = new BlockWriter((bytes) => stream.send.write(bytes), { compress: false });
  await writeAgreement(out, {
    rootId: new Uint8Array(32),
    root: EMPTY_SHAPE,
    pages: [PackedBytes.plain(EMPTY_PAGE)],
    adopted: [],
    stamps: [],
    ...agreement,
  });
  await out.finish();
  await stream.send.finish();
  while (await stream.recv.read(new Uint8Array(16)) !== null);
}

for (
  const [what, open, agreement] of [
    ["in a dry run", { dryRun: true }, {}],
    ["on folders that are not there", {}, { adopted: [shapeOf(new Uint8Array([7]))] }],
    ["with paths that lead out", {}, {
      stamps: [{ path: at("../x"), vector: EMPTY_VECTOR, isDeleted: true }],
    }],
    ["for a folder with no id", {}, { rootId: new Uint8Array(100) }],
  ] as [string, Partial<SyncOpen>, Partial<Agreement>][]
) {
  Deno.test(`a peer can't agree ${what}`, async () => {
    const { ancestors } = await attack(open, async (link) => {
      await assert.rejects(remember(link, agreement));
    });
    assert.equal(ancestors, 0);
  });
}

/** A peer that answers one kind of request with whatever it wants. */
async function answeredBy(
  answer: (request: Request, out: BlockWriter) => Promise<void>,
  ask: (remote: RemoteShare) => Promise<unknown>,
  options: { readonly namesMax?: number } = {},
): Promise<void> {
  const [left, right] = memoryTransportPair();
  const quiet = { handleMessage() {}, handleRequest: () => Promise.resolve() };
  const liar = {
    handleMessage() {},
    handleRequest: async (request: Request, stream: Parameters<Responder["handleRequest"]>[1]) => {
      const out = new BlockWriter((bytes) => stream.send.write(bytes), { compress: false });
      await answer(request, out);
      await out.finish();
      await stream.send.finish();
    },
  };
  await PeerLink.begin(right, { hello, handler: liar, ...common });
  await using link = await PeerLink.begin(left, { hello, handler: quiet, ...common });
  await ask(new RemoteShare(link, 1, undefined, options));
}

Deno.test("a directory that is not what its parent says is a protocol error", async () => {
  const history = new Uint8Array([0, 0]);
  const answer = { page: EMPTY_PAGE, mtimeMs: 0, isIncomplete: false, opaque: [], history };
  await answeredBy((_, out) => writeDir(out, answer), async (remote) => {
    const dirs = [{ path: "" as DirPath, shape: shapeOf(new Uint8Array([7])) }];
    await assert.rejects(remote.getDirs(dirs), { code: "protocol" });
  });
});

Deno.test("a folder of more names than there can be, or deeper than any, is a protocol error", async () => {
  const history = new Uint8Array([0, 0]);
  const entries = Array.from({ length: 10 }, (_, i): Entry => ({
    kind: "dir",
    name: `${i}`,
    mode: 0o755,
    shape: EMPTY_SHAPE,
  }));
  const page = encodePage(entries);
  const opaque = ["x", "y"];
  const answer = { page, mtimeMs: 0, isIncomplete: false, opaque, history };
  let asked = 0;
  await answeredBy((_, out) => {
    asked++;
    return writeDir(out, answer);
  }, async (remote) => {
    const shape = shapeOf(page);
    // The same directory in itself, again and again.
    let path = "" as DirPath;
    for (let i = 0; i < 4; i++) {
      await remote.getDirs([{ path, shape }]);
      path = joinPath(path, "0");
    }
    await assert.rejects(remote.getDirs([{ path, shape }]), {
      code: "protocol",
      message: "Peer's folder has over 50 names",
    });
    const deep = "0/".repeat(128) + "0" as DirPath;
    await assert.rejects(remote.getDirs([{ path: deep, shape }]), { code: "protocol" });
    assert.equal(asked, 5);
  }, { namesMax: 50 });
});

Deno.test("an agreement of more than there can be is refused before it is all there", async () => {
  const pages = Array.from(
    { length: 5 },
    (_, size) =>
      encodePage([{ kind: "file", name: "f".repeat(100), mode: 0o644, size, mtimeMs: 0 }]),
  );
  const pieces: Uint8Array[] = [];
  const out = new BlockWriter((bytes) => Promise.resolve(void pieces.push(bytes.slice())), {
    compress: false,
  });
  const agreement = { rootId: new Uint8Array(32), root: EMPTY_SHAPE, adopted: [], stamps: [] };
  await writeAgreement(out, { ...agreement, pages: pages.map(PackedBytes.plain) });
  await out.finish();
  const bytes = concat(pieces);
  const read = (pagesBytesMax: number) => {
    let offset = 0;
    const records = new RecordReader(
      new BlockReader((into) => {
        const part = bytes.subarray(offset, offset += into.length);
        into.set(part);
        return Promise.resolve(part.length === 0 ? null : part.length);
      }),
    );
    return readAgreement(records, pagesBytesMax);
  };
  assert.equal((await read(600)).pages.length, 5);
  await assert.rejects(read(500), { code: "protocol" });
});

Deno.test("an answer with more behind its end, or less than was asked for, is a protocol error", async () => {
  for (const count of [0, 2]) {
    await answeredBy(async (_, out) => {
      for (let i = 0; i < count; i++) await writeDigest(out, STATUS.denied);
    }, async (remote) => {
      await assert.rejects(remote.getDigests([at("x")]), { code: "protocol" });
    });
  }
});

Deno.test("outcomes that were not asked for, come twice or not at all are protocol errors", () => {
  const operation = {
    op: "remove",
    path: at("x"),
    before: { kind: "dir" },
    vector: EMPTY_VECTOR,
  } as const;
  const plan = {
    local: OperationList.of([]),
    remote: OperationList.of([operation]),
    items: [],
  } as unknown as ConstructorParameters<
    typeof Tally
  >[0];
  const outcome: Outcome = {
    index: 0,
    result: "done",
    code: "",
    message: "",
    bytesFetched: 0,
    bytesReused: 0,
  };
  const tally = () =>
    new Tally(plan, {} as ConstructorParameters<typeof Tally>[1], {
      observer: { item() {}, progress() {} } as never,
      provider: { fileBytes: 0 } as never,
      clock: systemClock,
      peerName: "nas",
    });
  assert.throws(() => tally().take("remote", { ...outcome, index: 1 }), { code: "protocol" });
  assert.throws(() => tally().take("local", outcome), { code: "protocol" });
  assert.throws(() => tally().finish(), { code: "protocol" });
  const once = tally();
  once.take("remote", outcome);
  assert.throws(() => once.take("remote", outcome), { code: "protocol" });
});
