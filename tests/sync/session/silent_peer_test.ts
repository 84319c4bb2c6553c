/** A peer that is there, answers pings, and leaves a session hanging, on either side of it. */
import assert from "node:assert/strict";
import { delay, systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import type { DirPath, RelPath } from "../../../src/base/paths.ts";
import { EMPTY_PAGE, EMPTY_SHAPE, encodePage, shapeOf } from "../../../src/base/tree.ts";
import { ByteWriter } from "../../../src/base/varint.ts";
import { STREAM_CODE } from "../../../src/base/wire_codes.ts";
import {
  BlockWriter,
  FEATURE_EARLIER,
  FEATURE_WORKING,
  type Message,
  type Request,
  type SyncAccept,
  type SyncMode,
  writeDir,
} from "../../../src/protocol/mod.ts";
import { openRoot } from "../../../src/store/mod.ts";
import { encodeOutcome } from "../../../src/sync/apply/operation_codec.ts";
import {
  ComparisonSession,
  InitiatorSession,
  PeerLink,
  roleOfInitiator,
  type SyncRequest,
} from "../../../src/sync/mod.ts";
import { type DuplexStream, URGENCY } from "../../../src/sync/link/transport.ts";
import type { PulseTimes } from "../../../src/sync/session/pulse.ts";
import { type HandClient, NOTHING_SYNCED, openByHand } from "../../support/hand_client.ts";
import { memoryTransportPair } from "../../support/memory_transport.ts";
import { serveEnd } from "../../support/served_end.ts";
import { SYNC_REQUEST } from "../../support/sync_request.ts";
import { openIndexOf, openShareOf, testDevice } from "../../support/test_device.ts";
import { testHello } from "../../support/test_hello.ts";
import { temporaryFolder, writeTree } from "../../support/tree.ts";

const TIMES: PulseTimes = { toldMs: 150, untoldMs: 150, workingMs: 20, lookMs: 10 };
/** For tests in which nobody is to be given up, on a machine that is busy. */
const KEEPING = { toldMs: 700 };
const TELLING = testHello(FEATURE_WORKING);
const UNTELLING = testHello(FEATURE_EARLIER);
const common = { clock: systemClock, logger: silentLogger };

/** What a serving side does that is not landropic's. */
interface Server {
  readonly accept?: Partial<SyncAccept>;
  /** Says no Hello's worth of "working". */
  readonly hello?: typeof TELLING;
  /** Answers a request; left out, it never does. */
  readonly answer?: (request: Request, stream: DuplexStream) => Promise<void>;
  readonly handleMessage?: (message: Message, link: PeerLink) => void;
}

const ACCEPT: SyncAccept = {
  type: "sync-accept",
  session: 1,
  share: "default",
  shape: EMPTY_SHAPE,
  rootId: new Uint8Array(32).fill(7),
  files: 0,
  bytes: 0,
  writable: true,
  foldsCase: false,
  foldsUnicode: false,
  scanErrors: 0,
  freeBytes: 1e12,
  windows: false,
};
const never = () => new Promise<never>(() => {});

/** Syncs a folder of one file, or compares it, with a server that does as it likes. */
async function syncWith(
  mode: SyncMode,
  server: Server,
  times: Partial<PulseTimes> = {},
): Promise<void> {
  using temporary = temporaryFolder();
  const folder = `${temporary.path}/folder`;
  writeTree(folder, { file: "contents" });
  const a = testDevice(`${temporary.path}/home`, "A");
  await using index = await openIndexOf(a);
  const [left, right] = memoryTransportPair();
  const answer = server.answer ?? never;
  const handler = {
    link: undefined as PeerLink | undefined,
    attach: (link: PeerLink) => void (handler.link = link),
    handleMessage: (message: Message) => {
      if (message.type === "sync-open" && server.accept) {
        void handler.link!.send({ ...ACCEPT, ...server.accept });
      }
      server.handleMessage?.(message, handler.link!);
    },
    handleRequest: answer,
  };
  const hello = server.hello ?? TELLING;
  await using _far = await PeerLink.begin(right, { hello, handler, ...common });
  const request = {
    ...SYNC_REQUEST,
    mode: mode as SyncRequest["mode"],
    deleteLimit: { kind: "count", count: 1000 },
  } as const;
  const { signal } = new AbortController();
  const open = () =>
    openShareOf(a, { path: folder, role: roleOfInitiator(mode, false), index, signal });
  const waits = { times: { ...TIMES, ...times }, signal, ...common };
  if (mode === "compare") {
    const session = new ComparisonSession(1, { share: "", run: "run", peerName: "b", ...waits });
    await using link = await PeerLink.begin(left, { hello: TELLING, handler: session, ...common });
    using share = await open();
    return void await session.run(link, share);
  }
  const session = new InitiatorSession(1, {
    request,
    observer: { plan() {}, item() {}, conflict() {}, fileError() {}, progress() {} },
    peer: { id: testDevice(`${temporary.path}/home-b`, "B").id, name: "b" },
    shortIdOf: (id) => id.slice(0, 7),
    ...waits,
  });
  await using link = await PeerLink.begin(left, { hello: TELLING, handler: session, ...common });
  await session.run(link, { isNew: false, path: "", open });
}

const GIVEN_UP = {
  code: "timed_out",
  message: /^"b" is there, but has not gone on with this session for \d+ s$/,
  hint: /disk may hang/,
};
const OTHER = { shape: new Uint8Array(32).fill(9) };
const EMPTY_DIR = {
  page: EMPTY_PAGE,
  mtimeMs: 0,
  isIncomplete: false,
  opaque: [],
  history: new Uint8Array([0, 0]),
};
/** The outcome of the one file that there is. */
const encodeDone = () =>
  encodeOutcome({
    index: 0,
    result: "done",
    code: "",
    message: "",
    bytesFetched: 8,
    bytesReused: 0,
  }, new ByteWriter(64)).slice();
/** Reads what comes and says nothing. */
const listen = async (stream: DuplexStream) => {
  while (await stream.recv.read(new Uint8Array(4096)) !== null);
  await never();
};

for (
  const [what, mode, server] of [
    ["never says what its share holds", "push", {}],
    ["never says what its share holds in a comparison", "compare", {}],
    ["answers no request of the plan", "two-way", { accept: OTHER }],
    ["answers no request of a comparison", "compare", { accept: OTHER }],
    ["tells no outcome", "push", { accept: {}, answer: (_, stream) => listen(stream) }],
    ["takes no operation", "push", { accept: {} }],
    ["never says that it remembers", "two-way", {
      accept: {},
      answer: async ({ kind }, stream) => {
        if (kind === "remember") return await listen(stream);
        const out = new BlockWriter((block) => stream.send.write(block), { compress: false });
        if (kind === "get-dirs") await writeDir(out, EMPTY_DIR);
        else await out.write(new ByteWriter(64).lv(encodeDone()).finish());
        await out.finish();
        await stream.send.finish();
      },
    }],
    ["never acknowledges the end", "push", { accept: { shape: undefined } }],
  ] as [string, SyncMode, Server][]
) {
  Deno.test(`a session gives up a server that ${what}`, async () => {
    await assert.rejects(syncWith(mode, sameShape(server)), GIVEN_UP);
  });
}

/** A server whose share is to be equal has the digest of the folder that {@linkcode syncWith} makes. */
function sameShape(server: Server): Server {
  if (!server.accept || !("shape" in server.accept) || server.accept.shape) return server;
  using temporary = temporaryFolder();
  writeTree(`${temporary.path}/folder`, { file: "contents" });
  using root = openRoot(`${temporary.path}/folder`);
  const { size, mtimeMs, mode } = root.lstat("file" as RelPath)!;
  const page = encodePage([{ kind: "file", name: "file", mode: mode & 0o777, size, mtimeMs }]);
  return { ...server, accept: { ...server.accept, shape: shapeOf(page) } };
}

Deno.test("a session waits for a server that says that it is at work, however long", async () => {
  const startMs = systemClock.nowMs();
  const waiting = syncWith("two-way", {
    accept: OTHER,
    handleMessage: async ({ type }, link) => {
      if (type !== "sync-open") return;
      for (let i = 0; i < 75; i++) {
        await delay(20);
        await link.send({ type: "working", session: 1 });
      }
      await link.send({ type: "error", session: 1, code: "busy", message: "enough" });
    },
  }, KEEPING);
  await assert.rejects(waiting, { code: "peer_unreachable", message: '"b" says: enough' });
  assert.ok(systemClock.nowMs() - startMs >= 75 * 20);
});

Deno.test("a session waits longer for a server that does not know how to say that it works", async () => {
  const startMs = systemClock.nowMs();
  const server = { accept: OTHER, hello: UNTELLING };
  await assert.rejects(syncWith("two-way", server, { untoldMs: 600 }), GIVEN_UP);
  assert.ok(systemClock.nowMs() - startMs >= 600);
});

for (
  const [code, words, expected] of [
    [STREAM_CODE.io, true, { code: "storage", message: '"b" says: the disk is full' }],
    [STREAM_CODE.io, false, { code: "peer_unreachable", message: /has ended the session/ }],
    [STREAM_CODE.gone, false, { code: "peer_unreachable", message: /has ended the session/ }],
    [STREAM_CODE.corrupt, false, { code: "protocol", hint: /^update/ }],
    [STREAM_CODE.limit, false, { code: "timed_out", message: /"b" gave up waiting/ }],
  ] as const
) {
  const why = words ? "and says why a little later" : "without a word";
  Deno.test(`a session whose stream the server resets with ${code}, ${why}, says what that means`, async () => {
    let link: PeerLink | undefined;
    const server: Server = {
      accept: {},
      handleMessage: (_, from) => void (link = from),
      answer: async (_, stream) => {
        stream.recv.stop(code);
        stream.send.reset(code);
        if (!words) return;
        await delay(50);
        const message = "the disk is full";
        await link!.send({ type: "error", session: 1, code: "storage", message });
      },
    };
    await assert.rejects(syncWith("push", server, KEEPING), expected);
  });
}

/** A served folder, and a client that opens a session and then does what it likes. */
async function serve(
  mode: SyncMode,
  act: (client: HandClient) => Promise<void>,
  onEnd: (folder: string, locks: string) => Promise<void>,
  { hello = TELLING, times = {} }: {
    readonly hello?: typeof TELLING;
    readonly times?: Partial<PulseTimes>;
  } = {},
): Promise<readonly Message[]> {
  using temporary = temporaryFolder();
  const folder = `${temporary.path}/share`;
  writeTree(folder, { file: "contents" });
  const b = testDevice(`${temporary.path}/home`, "B");
  await using index = await openIndexOf(b);
  const [left, right] = memoryTransportPair();
  const ended = Promise.withResolvers<void>();
  await using _responder = await serveEnd(right, {
    device: b,
    peer: testDevice(`${temporary.path}/home-a`, "A"),
    hello: TELLING,
    shares: [{ name: "default", path: folder, writable: true }],
    openIndex: () => Promise.resolve(index),
    events: {
      sessionStart() {},
      sessionEnd: () => ended.resolve(),
    },
    times: { ...TIMES, ...times },
  });
  await using client = await openByHand(left, { hello, mode });
  await act(client);
  await ended.promise;
  await onEnd(folder, `${b.home}/locks`);
  return client.heard;
}

/** Takes the lock that a session which is over must have let go of. */
async function lockAgain(folder: string, lockFolder: string): Promise<void> {
  const b = testDevice(`${lockFolder}/home`, "B");
  await using index = await openIndexOf(b);
  const share = await openShareOf(b, {
    path: folder,
    role: "both",
    index,
    lockFolder,
    lockWaitMs: 5_000,
  });
  share[Symbol.dispose]();
}

for (
  const [what, act] of [
    ["opens a session and does nothing", () => Promise.resolve()],
    ["stops in the middle of its operations", async (link) => {
      const stream = await link.request({ kind: "apply", session: 1 }, URGENCY.plan);
      // Half a block's header.
      await stream.send.write(new Uint8Array([0, 0, 0]));
    }],
    ["stops in the middle of what is to be remembered", async (link) => {
      const stream = await link.request({ kind: "remember", session: 1 }, URGENCY.plan);
      await stream.send.write(new Uint8Array([0, 0, 0]));
    }],
    ["reads on, and says nothing more", async (link) => {
      const answer = await link.ask(
        { kind: "get-dirs", session: 1, dirs: ["" as DirPath] },
        URGENCY.plan,
      );
      while (await answer.read(new Uint8Array(1024)) !== null);
    }],
  ] as [string, (link: PeerLink) => Promise<void>][]
) {
  for (const hello of [TELLING, UNTELLING]) {
    const kind = hello === TELLING ? "" : ", and never could tell";
    Deno.test(`a server ends the session of a client that ${what}${kind}, and unlocks its folder`, async () => {
      const heard = await serve("two-way", ({ link }) => act(link), lockAgain, { hello });
      const error = heard.find(({ type }) => type === "error");
      assert.ok(error?.type === "error");
      assert.deepEqual([error.session, error.code], [1, "timed_out"]);
    });
  }
}

Deno.test("a server keeps the session of a client that says that it is at work", async () => {
  const heard = await serve(
    "two-way",
    async ({ link }) => {
      for (let i = 0; i < 75; i++) {
        await delay(20);
        await link.send({ type: "working", session: 1 });
      }
      await link.send(NOTHING_SYNCED);
    },
    () => delay(50),
    { times: KEEPING },
  );
  assert.deepEqual(heard.filter(({ type }) => type === "error"), []);
  assert.ok(heard.some(({ type }) => type === "sync-ack"));
});

Deno.test("a server says that it is at work while a request of its client is under way, and not else", async () => {
  const works = (heard: readonly Message[]) =>
    heard.filter(({ type }) => type === "working").length;
  let idle: number | undefined;
  const heard = await serve(
    "two-way",
    async ({ link, heard }) => {
      const before = works(heard);
      for (let i = 0; i < 10; i++) {
        await delay(20);
        await link.send({ type: "working", session: 1 });
      }
      idle = works(heard) - before;
      await (await link.request({ kind: "apply", session: 1 }, URGENCY.plan)).send.write(
        new Uint8Array([0]),
      );
    },
    () => Promise.resolve(),
    { times: KEEPING },
  );
  assert.equal(idle, 0);
  assert.ok(works(heard) > 0);
});
