import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import type { RelPath } from "../../../src/base/paths.ts";
import {
  encodeFrame,
  type Message,
  ProtocolError,
  type Request,
} from "../../../src/protocol/mod.ts";
import { JoinedHandler } from "../../../src/sync/link/joined_handler.ts";
import { GROUP_LINKS_MAX, LinkGroup } from "../../../src/sync/link/link_group.ts";
import { type LinkHandler, PeerLink } from "../../../src/sync/link/peer_link.ts";
import { type DuplexStream, URGENCY } from "../../../src/sync/link/transport.ts";
import { RemoteShare } from "../../../src/sync/transfer/remote_share.ts";
import { answerFrom } from "../../support/memory_provider.ts";
import { type MemoryTransport, memoryTransportPair } from "../../support/memory_transport.ts";
import { testHello } from "../../support/test_hello.ts";

const hello = testHello();
const common = { hello, clock: systemClock, logger: silentLogger };
const SIZE = 4_000_000;
const FILE = Uint8Array.from({ length: SIZE }, (_, i) => i * 7 + (i >> 8));
const FILES = new Map([["big", { bytes: FILE, mtimeMs: 5 }]]);
const WANTED = { path: "big" as RelPath, size: SIZE, mtimeMs: 5, offset: 0 };

/** Serves one file, and counts what it was asked for on which connection. */
class Server implements LinkHandler {
  readonly asked: { connection: number; offset: number }[] = [];
  readonly ends: MemoryTransport[] = [];
  /** Answers wait here once they have sent so much. */
  gate: Promise<void> = Promise.resolve();

  handleMessage(_message: Message): void {}
  handleRequest(_request: Request, _stream: DuplexStream): Promise<void> {
    return Promise.reject(new Error("on no connection"));
  }

  /** Makes a connection to this server. */
  async connect(client: LinkHandler = new Server()): Promise<PeerLink> {
    const [near, far] = memoryTransportPair();
    const connection = this.ends.push(far) - 1;
    const sessions = {
      handleRequest: async (request: Request, { send }: DuplexStream) => {
        const offset = request.kind === "get-files" ? request.files[0]!.offset : 0;
        this.asked.push({ connection, offset });
        let sent = 0;
        await answerFrom(FILES, request, {
          blockBytes: 60_000,
          write: async (bytes) => {
            if ((sent += bytes.length) > SIZE / 2) await this.gate;
            await send.write(bytes);
          },
        });
        await send.finish();
      },
    };
    const handler = connection === 0
      ? { handleMessage() {}, handleRequest: sessions.handleRequest }
      : new JoinedHandler(sessions);
    const [link] = await Promise.all([
      PeerLink.open(near, { ...common, handler: client }),
      PeerLink.open(far, { ...common, handler }),
    ]);
    return link;
  }
}

/** Fetches the file, and tells how far it is. */
class Fetch {
  bytes = 0;
  readonly pieces = new Uint8Array(SIZE);
  readonly done: Promise<void>;
  #wake = Promise.withResolvers<void>();

  constructor(group: LinkGroup) {
    this.done = new RemoteShare(group, 1).getFiles([WANTED], {
      begin() {},
      bytes: (_index, piece) => {
        this.pieces.set(piece, this.bytes);
        this.bytes += piece.length;
        this.#wake.resolve();
        this.#wake = Promise.withResolvers();
      },
      end() {},
      fail: (_index, status) => assert.fail(`failed with ${status}`),
    }, URGENCY.largeFiles);
    this.done.catch(() => {});
  }

  async until(bytes: number): Promise<void> {
    while (this.bytes < bytes) await this.#wake.promise;
  }

  async assertWhole(): Promise<void> {
    await this.done;
    assert.equal(this.bytes, SIZE);
    assert.deepEqual(this.pieces, FILE);
  }
}

Deno.test("LinkGroup has every connection fetch, and only the first one plan", async () => {
  const server = new Server();
  await using group = new LinkGroup(await server.connect());
  for (let i = 0; i < 2; i++) assert.ok(group.add(await server.connect()));
  const gate = Promise.withResolvers<void>();
  server.gate = gate.promise;
  const fetches = Array.from({ length: 6 }, () => new Fetch(group));
  await Promise.all(fetches.map((fetch) => fetch.until(1)));
  const used = server.asked.map(({ connection }) => connection).sort();
  assert.deepEqual(used, [0, 0, 1, 1, 2, 2]);
  const stream = await group.request({ kind: "get-dirs", session: 1, dirs: [] }, URGENCY.plan);
  stream.recv.stop(0);
  gate.resolve();
  for (const fetch of fetches) await fetch.assertWhole();
});

Deno.test("LinkGroup goes on elsewhere, in the middle of a file, when a connection breaks", async () => {
  const server = new Server();
  await using group = new LinkGroup(await server.connect());
  const extra = await server.connect();
  group.add(extra);
  const gate = Promise.withResolvers<void>();
  server.gate = gate.promise;
  const fetches = [new Fetch(group), new Fetch(group)];
  await Promise.all(fetches.map((fetch) => fetch.until(1_000_000)));
  await server.ends[1]!.close(0);
  await extra.ended;
  gate.resolve();
  for (const fetch of fetches) await fetch.assertWhole();
  assert.equal(group.size, 1);
  const again = server.asked.at(-1)!;
  assert.equal(again.connection, 0);
  assert.ok(again.offset >= 1_000_000, `asked again from ${again.offset}`);
});

Deno.test("LinkGroup moves what runs on a retiring connection, once there is another one", async () => {
  const server = new Server();
  await using group = new LinkGroup(await server.connect());
  const gate = Promise.withResolvers<void>();
  server.gate = gate.promise;
  const fetch = new Fetch(group);
  await fetch.until(500_000);
  group.retire(group.primary);
  assert.equal(group.loadOf(group.primary), 1);
  const extra = await server.connect();
  group.add(extra);
  while (server.asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  gate.resolve();
  await fetch.assertWhole();
  assert.ok(server.asked[1]!.offset >= 500_000);
  assert.equal(server.asked[1]!.connection, 1);
  assert.ok(await group.primary.ping() >= 0);
});

Deno.test("LinkGroup gives a new connection its share of large answers", async () => {
  const server = new Server();
  await using group = new LinkGroup(await server.connect());
  const gate = Promise.withResolvers<void>();
  server.gate = gate.promise;
  const fetches = Array.from({ length: 4 }, () => new Fetch(group));
  await Promise.all(fetches.map((fetch) => fetch.until(1)));
  const extra = await server.connect();
  group.add(extra);
  while (group.loadOf(extra) < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(group.loadOf(group.primary), 2);
  gate.resolve();
  for (const fetch of fetches) await fetch.assertWhole();
});

Deno.test("LinkGroup ends with its first connection, and takes no more then", async () => {
  const server = new Server();
  const group = new LinkGroup(await server.connect());
  const [extra, late] = [await server.connect(), await server.connect()];
  group.add(extra);
  const fetch = new Fetch(group);
  await server.ends[0]!.close(0);
  assert.equal(await group.ended, undefined);
  assert.equal(await extra.ended, undefined);
  await assert.rejects(fetch.done);
  assert.equal(group.add(late), false);
  await late.close();
});

Deno.test("LinkGroup ends as a whole when the peer breaks the protocol on any connection", async () => {
  const server = new Server();
  const group = new LinkGroup(await server.connect());
  group.add(await server.connect());
  const control = await server.ends[1]!.openUni();
  await control.write(new Uint8Array([1]));
  await control.write(encodeFrame(1001, new Uint8Array([0xa0])));
  assert.ok(await group.ended instanceof ProtocolError);
  assert.deepEqual(server.ends.map(({ closedWith }) => closedWith), [
    { by: "peer", code: 3 },
    { by: "peer", code: 3 },
  ]);
});

Deno.test("LinkGroup takes a bounded number of connections", async () => {
  const server = new Server();
  await using group = new LinkGroup(await server.connect());
  for (let i = 1; i < GROUP_LINKS_MAX; i++) assert.ok(group.add(await server.connect()));
  await using late = await server.connect();
  assert.equal(group.add(late), false);
  assert.equal(group.size, GROUP_LINKS_MAX);
});

Deno.test("JoinedHandler lets nothing but requests for bytes and refusals through", async () => {
  const asked: string[] = [];
  const joined = new JoinedHandler({
    handleRequest: (request) => Promise.resolve(void asked.push(request.kind)),
  });
  const stream = {} as DuplexStream;
  await joined.handleRequest({ kind: "get-files", session: 1, files: [] }, stream);
  await assert.rejects(joined.handleRequest({ kind: "apply", session: 1 }, stream), ProtocolError);
  assert.deepEqual(asked, ["get-files"]);
  assert.throws(() => joined.handleMessage({ type: "sync-ack", session: 1 }), ProtocolError);
  const refusal: Message = { type: "error", session: 0, code: "no_such_group", message: "none" };
  assert.throws(() => joined.handleMessage(refusal), { code: "failed" });
});
