/** A trusted peer that keeps others waiting, over QUIC on loopback. */
import assert from "node:assert/strict";
import { delay, systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import type { RelPath } from "../../../src/base/paths.ts";
import { STREAM_CODE } from "../../../src/base/wire_codes.ts";
import { BlockWriter, type Request, writeFileHead } from "../../../src/protocol/mod.ts";
import type { QuicConnection } from "../../../src/quic/mod.ts";
import type { LinkHandler } from "../../../src/sync/link/peer_link.ts";
import { PeerLink } from "../../../src/sync/link/peer_link.ts";
import { type DuplexStream, URGENCY } from "../../../src/sync/link/transport.ts";
import { RateLimiter } from "../../../src/sync/transfer/rate_limiter.ts";
import { type FileSink, RemoteShare } from "../../../src/sync/transfer/remote_share.ts";
import { answerFrom, type MemoryFile } from "../../support/memory_provider.ts";
import { EndpointPair } from "../../support/quic_pair.ts";
import { testHello } from "../../support/test_hello.ts";
import { UdpRelay } from "../../support/udp_relay.ts";

const MIB = 1024 * 1024;
const MTIME_MS = 1_700_000_000_000;
const SECOND = { sendWithinMs: 1_000, takeWithinMs: 1_000, lookMs: 50 };
const SESSION = 1;

type Answering = (request: Request, stream: DuplexStream) => Promise<void>;

/** Two links over one connection; the far side answers, the near side asks. */
class Links implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  near!: PeerLink;
  far!: PeerLink;
  connection!: QuicConnection;
  relay!: UdpRelay;

  static async open(answer: Answering, pace = { near: SECOND, far: SECOND }): Promise<Links> {
    const links = new Links();
    const pair = links.#stack.use(await EndpointPair.open());
    links.relay = links.#stack.use(await UdpRelay.open(pair.server.localAddress.port));
    const { port } = links.relay;
    const near = links.connection = await pair.client.connect({ host: "127.0.0.1", port }, {
      alpn: "landropic-test/1",
      verify: () => {},
    });
    const open = (connection: QuicConnection, handleRequest: Answering, side: typeof SECOND) => {
      const handler: LinkHandler = { handleMessage() {}, handleRequest };
      return PeerLink.open(connection, {
        hello: testHello(),
        handler,
        clock: systemClock,
        logger: silentLogger,
        pace: side,
      });
    };
    const refuse = () => Promise.reject(new Error("nothing is served here"));
    [links.near, links.far] = await Promise.all([
      open(near, refuse, pace.near),
      open(await pair.accept(), answer, pace.far),
    ]);
    return links;
  }

  /** Asks for one file as a session does. */
  async getFile(size: number, sink: FileSink, rateLimit?: number): Promise<void> {
    const remote = new RemoteShare(this.near, SESSION, undefined, { rateLimit });
    const path = "file" as RelPath;
    await remote.getFiles([{ path, offset: 0, size, mtimeMs: MTIME_MS }], sink, 64);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.near.close();
    await this.far.close();
    await this.#stack.disposeAsync();
  }
}

/** Counts what comes, and may take its time. */
function counting(pause: () => Promise<void> | void = () => {}) {
  const sink = {
    bytesCame: 0,
    isComplete: false,
    begin() {},
    bytes(_: number, piece: Uint8Array) {
      sink.bytesCame += piece.length;
      return pause();
    },
    end: () => void (sink.isComplete = true),
    fail: (_: number, status: number) => assert.fail(`status ${status}`),
  };
  return sink;
}

/** Answers honestly; each write goes through `write`, if there is one. */
function honest(
  size: number,
  through: (stream: DuplexStream) => (bytes: Uint8Array) => Promise<void> = ({ send }) => (bytes) =>
    send.write(bytes),
): Answering {
  const bytes = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
  const content = new Uint8Array(size).map((_, i) => bytes[i % bytes.length]!);
  const files = new Map<string, MemoryFile>([["file", { bytes: content, mtimeMs: MTIME_MS }]]);
  return async (request, stream) => {
    await answerFrom(files, request, { write: through(stream), blockBytes: 64 * 1024 });
    await stream.send.finish();
  };
}

for (const drips of [false, true]) {
  Deno.test(`a peer that ${drips ? "drips" : "holds back"} what it was asked for is given up`, async () => {
    const stopped = Promise.withResolvers<unknown>();
    await using links = await Links.open(async (_, { send }) => {
      const out = new BlockWriter((bytes) => send.write(bytes), { compress: false });
      await writeFileHead(out, { size: MIB, mtimeMs: MTIME_MS });
      try {
        for (;;) {
          await out.write(new Uint8Array(1));
          await out.flush();
          await delay(drips ? 100 : 3_600_000, AbortSignal.timeout(2_500)).catch(() => {});
          // Whoever sends nothing does not hear that nothing is wanted.
        }
      } catch (error) {
        stopped.resolve(error);
      }
    });
    const startMs = performance.now();
    await assert.rejects(links.getFile(MIB, counting()), {
      code: "timed_out",
      message: /does not send/,
    });
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs >= 900 && tookMs < 5_000, `${tookMs} ms`);
    assert.ok(await links.near.ping() >= 0, "the connection lives on");
    assert.match(String(await stopped.promise), /Peer stopped stream/);
  });
}

Deno.test("a peer that asks for files and does not read them is given up, and told", async () => {
  const ended = Promise.withResolvers<unknown>();
  const answer = honest(80 * MIB);
  await using links = await Links.open((request, stream) => {
    const answering = answer(request, stream);
    answering.then(ended.resolve, ended.resolve);
    return answering;
  }, { near: SECOND, far: { ...SECOND, sendWithinMs: 10 } });
  const files = [{ path: "file" as RelPath, offset: 0 }];
  const request = { kind: "get-files", session: SESSION, files } as const;
  const stream = await links.near.request(request, URGENCY.largeFiles);
  await stream.send.finish();
  assert.match(String(await ended.promise), /is closed on this side/);
  assert.ok(await links.near.ping() >= 0, "the connection lives on");
  const reading = (async () => {
    const scratch = new Uint8Array(MIB);
    while (await stream.recv.read(scratch) !== null);
  })();
  await assert.rejects(reading, { streamCode: STREAM_CODE.limit });
});

Deno.test("an outage of the network is not the peer's fault", async () => {
  const size = 40 * MIB;
  await using links = await Links.open(honest(size));
  let isCut = false;
  const sink = counting(() => {
    if (isCut || sink.bytesCame < MIB) return;
    isCut = true;
    links.relay.silence(0);
    setTimeout(() => links.relay.silence(0, false), 3_000);
  });
  await links.getFile(size, sink);
  assert.ok(isCut && sink.isComplete);
  assert.equal(sink.bytesCame, size);
});

Deno.test("a peer that was asked to be slow may be as slow as that", async () => {
  const rate = 4_000;
  const signal = new AbortController().signal;
  const limiter = new RateLimiter(rate, { clock: systemClock, signal });
  const answer = honest(3 * rate, ({ send }) => limiter.limit((bytes) => send.write(bytes)));
  await using links = await Links.open(answer);
  // A rate this low is under the pace that holds of others: without the limit it is given up.
  await assert.rejects(links.getFile(3 * rate, counting()), { code: "timed_out" });
  const sink = counting();
  await links.getFile(3 * rate, sink, rate);
  assert.ok(sink.isComplete);
});

Deno.test("a side that writes to a slow disk is neither given up nor gives up", async () => {
  const size = 40 * MIB;
  const pace = { near: SECOND, far: { ...SECOND, takeWithinMs: 60_000 } };
  await using links = await Links.open(honest(size), pace);
  let pauses = 0;
  const sink = counting(async () => {
    if (sink.bytesCame < MIB || pauses === 2) return;
    pauses++;
    await delay(1_500);
  });
  await links.getFile(size, sink);
  assert.deepEqual([sink.isComplete, pauses], [true, 2]);
});
