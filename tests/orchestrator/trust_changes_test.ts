/** What happens to live devices when trust and keys change: renewal, rotation, removal. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import {
  beginRotation,
  createRotation,
  ROTATION_KEEP_MS,
  ROTATION_SWITCH_MS,
  TrustStore,
} from "../../src/identity/mod.ts";
import { PeerVisit, reachPeer } from "../../src/orchestrator/mod.ts";
import type { RotateKey } from "../../src/protocol/mod.ts";
import type { QuicConnection } from "../../src/quic/mod.ts";
import { PeerLink } from "../../src/sync/mod.ts";
import { LOOPBACK, OrchestratedDevice, serveNothing } from "../support/orchestrated_device.ts";
import { temporaryFolder } from "../support/tree.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** A clock whose date the test sets. */
class TurnedClock implements Clock {
  offsetMs = 0;
  nowMs = () => systemClock.nowMs();
  wallMs = () => systemClock.wallMs() + this.offsetMs;
}

/** A server and a visitor that trust each other, with one idea of the date. */
class Scene implements AsyncDisposable {
  readonly clock = new TurnedClock();
  readonly #folder = temporaryFolder();
  readonly #stack = new AsyncDisposableStack();

  constructor() {
    this.#stack.use(this.#folder);
  }

  open(name: string): Promise<OrchestratedDevice> {
    return OrchestratedDevice.open(this.#folder.path, name, { clock: this.clock });
  }

  folderOf(name: string): string {
    return join(this.#folder.path, name);
  }

  /** Runs both as one command each, from their start to their end. */
  async run(
    work: (server: OrchestratedDevice, visitor: OrchestratedDevice) => Promise<void>,
  ): Promise<void> {
    await using server = await this.open("server");
    await using visitor = await this.open("visitor");
    if (server.orchestrator.trust.list({ revoked: true }).length === 0) {
      await Promise.all([server.trust(visitor, "visitor"), visitor.trust(server, "server")]);
    }
    await using serving = await serveNothing(server, LOOPBACK);
    const entry = visitor.orchestrator.trust.resolve("server");
    const { fingerprint } = entry;
    const address = `${LOOPBACK}:${serving.address.port}`;
    await visitor.orchestrator.trust.touch({ fingerprint, address });
    await work(server, visitor);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function dial({ orchestrator }: OrchestratedDevice) {
  const entry = orchestrator.trust.resolve("server");
  const { signal } = new AbortController();
  return await reachPeer(orchestrator, entry, { retries: 0, waitMs: 0, signal });
}

function open({ orchestrator }: OrchestratedDevice, connection: QuicConnection) {
  return PeerVisit.open(orchestrator, orchestrator.trust.resolve("server"), connection);
}

/** Connects, says Hello, hears Hello, and leaves. */
async function visit(visitor: OrchestratedDevice): Promise<void> {
  await using visit = await open(visitor, await dial(visitor));
  await visit.ping();
}

const idOf = ({ orchestrator }: OrchestratedDevice) => orchestrator.identity.id;

Deno.test("a certificate issued anew under the same key changes nothing for peers", async () => {
  await using scene = new Scene();
  const ids: string[] = [];
  const certificates = new Set<string>();
  for (const years of [0, 8.5]) {
    scene.clock.offsetMs = years * 365 * DAY_MS;
    await scene.run(async (server, visitor) => {
      ids.push(idOf(server), idOf(visitor));
      certificates.add(server.orchestrator.identity.certPem);
      certificates.add(visitor.orchestrator.identity.certPem);
      await visit(visitor);
    });
  }
  assert.deepEqual(ids.slice(0, 2), ids.slice(2));
  assert.equal(certificates.size, 4);
});

for (const who of ["visitor", "server"] as const) {
  const other = who === "visitor" ? "server" : "visitor";
  Deno.test(`a ${who} that moves to a new key tells its peer, and is known under it later`, async () => {
    await using scene = new Scene();
    await scene.run(async (_server, visitor) => await visit(visitor));
    const next = await beginRotation({ folder: scene.folderOf(who), clock: scene.clock });
    await scene.run(async (_server, visitor) => await visit(visitor));
    const before = await scene.open(other);
    const entry = before.orchestrator.trust.resolve(who);
    assert.deepEqual(entry.successor?.fingerprint, next.identity.fingerprint);
    await before[Symbol.asyncDispose]();
    scene.clock.offsetMs = ROTATION_SWITCH_MS + DAY_MS;
    await scene.run(async (server, visitor) => {
      assert.equal(idOf(who === "server" ? server : visitor), next.identity.id);
      await visit(visitor);
    });
    await using after = await scene.open(other);
    const moved = after.orchestrator.trust.resolve(who);
    assert.deepEqual([moved.id, moved.alias], [next.identity.id, who]);
    scene.clock.offsetMs += ROTATION_KEEP_MS + DAY_MS;
    assert.equal(after.orchestrator.trust.lookup(entry.fingerprint), "revoked");
  });
}

Deno.test("a peer that was removed can't connect, nor can the key that it is moving to", async () => {
  await using scene = new Scene();
  await beginRotation({ folder: scene.folderOf("visitor"), clock: scene.clock });
  await scene.run(async (_server, visitor) => await visit(visitor));
  await scene.run(async (server, visitor) => {
    await server.orchestrator.trust.remove("visitor");
    await assert.rejects(visit(visitor), { code: "peer_untrusted" });
  });
  scene.clock.offsetMs = ROTATION_SWITCH_MS + DAY_MS;
  await scene.run(async (server, visitor) => {
    assert.equal(
      server.orchestrator.trust.lookup(visitor.orchestrator.identity.fingerprint),
      "revoked",
    );
    await assert.rejects(visit(visitor), { code: "peer_untrusted" });
  });
});

Deno.test("a rotation with a false signature ends the connection with code 3 and changes nothing", async () => {
  await using scene = new Scene();
  await using stranger = await scene.open("stranger");
  await scene.run(async (server, visitor) => {
    const { identity, hello, options: { clock, logger } } = visitor.orchestrator;
    const honest = createRotation(identity, stranger.orchestrator.identity);
    const opening: RotateKey = {
      type: "rotate-key",
      newSpki: stranger.orchestrator.identity.spki.slice(),
      // The same signature twice: the new key never said yes.
      signatureOld: new Uint8Array(honest.signatureByOld),
      signatureNew: new Uint8Array(honest.signatureByOld),
    };
    const connection = await dial(visitor);
    const handler = { handleMessage() {}, handleRequest: () => Promise.resolve() };
    const options = { hello, opening: [opening], handler, clock, logger };
    await using _link = await PeerLink.begin(connection, options);
    const { by, code } = await connection.closed;
    assert.deepEqual([by, code], ["peer", 3]);
    const entry = server.orchestrator.trust.resolve("visitor");
    assert.equal(entry.successor, undefined);
  });
});

Deno.test("removing a peer by another command closes its live connections with code 1, on either side", async () => {
  await using scene = new Scene();
  await scene.run(async (server, visitor) => {
    for (const [remover, name] of [[server, "visitor"], [visitor, "server"]] as const) {
      const connection = await dial(visitor);
      await using _visit = await open(visitor, connection);
      const folder = remover.orchestrator.options.configDir;
      const elsewhere = await TrustStore.open({ folder, clock: scene.clock });
      const { fingerprint } = await elsewhere.remove(name);
      // This very process takes the news over with an edit of its own, before it looks for any.
      await remover.orchestrator.trust.touch({ fingerprint });
      await remover.orchestrator.guard.review();
      const { by, code } = await connection.closed;
      assert.deepEqual([by, code], [remover === visitor ? "local" : "peer", 1]);
      await assert.rejects(visit(visitor), { code: "peer_untrusted" });
      await elsewhere.trust({ fingerprint, method: "id", alias: name });
      await remover.orchestrator.trust.reloadIfChanged();
    }
    await visit(visitor);
  });
});

Deno.test("a name that a peer announces is stripped of everything that is not to be printed", async () => {
  await using scene = new Scene();
  await scene.run(async (server, visitor) => {
    const connection = await dial(visitor);
    const { hello, options: { clock, logger } } = visitor.orchestrator;
    const name = "\u202Eevil\x1b[31m\u0007\nname\u200B" + "x".repeat(20);
    const handler = { handleMessage() {}, handleRequest: () => Promise.resolve() };
    await using link = await PeerLink.open(connection, {
      hello: { ...hello, name },
      handler,
      clock,
      logger,
    });
    await link.ping();
    const { fingerprint } = visitor.orchestrator.identity;
    const announced = () => server.orchestrator.trust.get(fingerprint)!.announcedName;
    for (let tries = 0; announced() === undefined && tries < 100; tries++) await link.ping();
    assert.equal(announced(), "evil[31m name" + "x".repeat(20));
    assert.equal(server.orchestrator.trust.resolve("visitor").alias, "visitor");
  });
});
