import assert from "node:assert/strict";
import { MemoryNetwork } from "../../src/discovery/mod.ts";
import { Invitation, PairingCode, PairingError } from "../../src/identity/pairing/mod.ts";
import {
  hostPairing,
  joinPairing,
  type PairedPeer,
  type PairingTicket,
  readTicket,
  type ShownPairing,
} from "../../src/orchestrator/pairing/mod.ts";
import { type BidiStream, ConnectionLost, type QuicConnection } from "../../src/quic/mod.ts";
import { LOOPBACK, OrchestratedDevice, serveNothing } from "../support/orchestrated_device.ts";
import { until } from "../support/sync_scene.ts";
import { temporaryFolder } from "../support/tree.ts";

const PORT = 9876;

/** A network with devices on it, made when they are asked for and taken down together. */
class Scene implements AsyncDisposable {
  readonly network = new MemoryNetwork();
  readonly stop = new AbortController();
  readonly #stack = new AsyncDisposableStack();
  readonly #folder = this.#stack.use(temporaryFolder());

  async device(name: string): Promise<OrchestratedDevice> {
    const { network } = this;
    return this.#stack.use(await OrchestratedDevice.open(this.#folder.path, name, { network }));
  }

  /** Shows a code; resolves once it is good. */
  async show(
    { orchestrator }: OrchestratedDevice,
    { timeoutMs = 60_000, host = "0.0.0.0" }: { timeoutMs?: number; host?: string } = {},
  ): Promise<Shown> {
    const shown = Promise.withResolvers<ShownPairing>();
    const failed: Shown["failed"] = [];
    const paired = hostPairing(orchestrator, {
      listen: { host, port: 0 },
      servePort: PORT,
      timeoutMs,
      alias: undefined,
      signal: this.stop.signal,
      onShown: shown.resolve,
      onAttemptFailed: ({ error: { failure }, attemptsLeft }) => {
        failed.push({ failure, attemptsLeft });
      },
    });
    paired.catch(shown.reject);
    const { code, invitation, listening } = await shown.promise;
    const address = { host: LOOPBACK, port: listening.port };
    return { code, invitation, address, paired, failed };
  }

  join(
    { orchestrator }: OrchestratedDevice,
    ticket: PairingTicket | string,
    options: { address?: Shown["address"]; timeoutMs?: number; alias?: string } = {},
  ): Promise<PairedPeer> {
    return joinPairing(orchestrator, {
      ticket: typeof ticket === "string" ? readTicket(ticket, Date.now()) : ticket,
      address: options.address,
      servePort: PORT,
      timeoutMs: options.timeoutMs ?? 60_000,
      alias: options.alias,
      signal: this.stop.signal,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort(new Error("the test is over"));
    await this.#stack.disposeAsync();
  }
}

interface Shown {
  readonly code: PairingCode;
  readonly invitation: Invitation;
  readonly address: { host: string; port: number };
  readonly paired: Promise<PairedPeer>;
  /** Attempts that were spent in vain. */
  readonly failed: { failure: string; attemptsLeft: number }[];
}

function wrongCode({ slot }: PairingCode): string {
  return `${slot}-zoo-zoo-zoo`;
}

function trusts({ orchestrator }: OrchestratedDevice): string[] {
  return orchestrator.trust.list().map(({ id }) => id);
}

const idOf = ({ orchestrator }: OrchestratedDevice) => orchestrator.identity.id;

const fails = (failure: string) => (error: unknown) => {
  assert.ok(error instanceof PairingError, String(error));
  assert.equal(error.failure, failure, error.message);
  return true;
};

Deno.test("two devices pair by a code found on the network, and know each other's name", {
  // Not of resources: the first endpoint loads the C library, and the next ones use it.
  sanitizeOps: true,
}, async () => {
  await using scene = new Scene();
  const [d, e] = [await scene.device("laptop"), await scene.device("desktop")];
  const shown = await scene.show(d);
  const [there, here] = await Promise.all([scene.join(e, shown.code.reveal()), shown.paired]);
  assert.deepEqual([there.entry.id, there.entry.alias], [idOf(d), "laptop"]);
  assert.deepEqual([here.entry.id, here.entry.alias], [idOf(e), "desktop"]);
  assert.deepEqual([there.isConfirmed, here.isConfirmed], [true, true]);
  assert.equal(there.address, `${LOOPBACK}:${shown.address.port}`);
  // It may serve where devices do, and the other one was heard of from a socket that is gone.
  assert.deepEqual(there.entry.addresses, [there.address, `${LOOPBACK}:${PORT}`]);
  assert.deepEqual(here.entry.addresses, [`${LOOPBACK}:${PORT}`]);
  assert.deepEqual([trusts(d), trusts(e)], [[idOf(e)], [idOf(d)]]);
});

Deno.test("the device that enters a code waits for one that shows its slot", async () => {
  await using scene = new Scene();
  const [d, e] = [await scene.device("d"), await scene.device("e")];
  // The words are drawn when a code is shown, so an earlier enterer has others.
  const code = PairingCode.generate();
  const joining = scene.join(e, code);
  const shown = await scene.show(d);
  const goodbye = scene.network.add({
    idPrefix: "AAAAAAAA",
    slot: code.slot,
    addresses: [{ host: LOOPBACK, port: 9 }, shown.address],
  });
  await assert.rejects(joining, fails("wrong_secret"));
  goodbye();
  await until(() => shown.failed.length > 0);
  assert.deepEqual(shown.failed, [{ failure: "wrong_secret", attemptsLeft: 2 }]);
});

Deno.test("an invitation pairs by the addresses in it", async () => {
  await using scene = new Scene();
  const [d, e] = [await scene.device("d"), await scene.device("e")];
  // On loopback alone it does not announce itself.
  const shown = await scene.show(d, { host: LOOPBACK });
  assert.deepEqual(shown.invitation.addresses, [LOOPBACK]);
  const joining = scene.join(e, shown.invitation.reveal());
  const [paired] = await Promise.all([joining, shown.paired]);
  assert.deepEqual([paired.entry.id, paired.entry.method], [idOf(d), "token"]);
});

Deno.test("three wrong codes void the code; the fourth is not even tried, the right one included", async () => {
  await using scene = new Scene();
  const [d, e] = [await scene.device("d"), await scene.device("e")];
  const shown = await scene.show(d);
  shown.paired.catch(() => {});
  for (const attemptsLeft of [2, 1, 0]) {
    const joining = scene.join(e, wrongCode(shown.code), { address: shown.address });
    await assert.rejects(joining, fails("wrong_secret"));
    // The device that joins may know it first.
    await until(() => shown.failed.length >= 3 - attemptsLeft);
    assert.deepEqual(shown.failed.at(-1), { failure: "wrong_secret", attemptsLeft });
  }
  await assert.rejects(shown.paired, fails("attempts_spent"));
  const { address } = shown;
  const late = scene.join(e, shown.code, { address, timeoutMs: 300 });
  await assert.rejects(late, fails("timed_out"));
  assert.deepEqual([trusts(d), trusts(e)], [[], []]);
});

Deno.test("a code that has expired is no good any more, and says so", async () => {
  await using scene = new Scene();
  const [d, e] = [await scene.device("d"), await scene.device("e")];
  const shown = await scene.show(d, { timeoutMs: 50 });
  await assert.rejects(shown.paired, fails("expired"));
  await assert.rejects(shown.paired, { code: "timed_out" });
  const late = scene.join(e, shown.code, { address: shown.address, timeoutMs: 300 });
  await assert.rejects(late, { code: "timed_out", message: /nobody who pairs answered/ });
  const nobody = scene.join(e, shown.code, { timeoutMs: 50 });
  await assert.rejects(nobody, { code: "timed_out", message: /no device on the local network/ });
  assert.deepEqual(trusts(e), []);
});

Deno.test("a rogue that announces the same slot gets one guess, and the right device is found", async () => {
  await using scene = new Scene();
  const [d, e, r] = [await scene.device("d"), await scene.device("e"), await scene.device("r")];
  const rogue = await scene.show(r);
  rogue.paired.catch(() => {});
  const shown = await scene.show(d);
  for (let i = 0; i < 3; i++) {
    const claim = { idPrefix: "AAAAAAAA", slot: shown.code.slot, addresses: [rogue.address] };
    scene.network.add(claim);
  }
  const [paired] = await Promise.all([scene.join(e, shown.code), shown.paired]);
  assert.equal(paired.entry.id, idOf(d));
  assert.deepEqual(trusts(r), []);
  assert.ok(rogue.failed.length <= 1);
});

Deno.test("at most three devices get a guess at an entered code", async () => {
  await using scene = new Scene();
  const e = await scene.device("e");
  const code = PairingCode.generate();
  const rogues: Shown[] = [];
  for (const name of ["r1", "r2", "r3", "r4", "r5"]) {
    const rogue = await scene.show(await scene.device(name));
    rogue.paired.catch(() => {});
    rogues.push(rogue);
    scene.network.add({ idPrefix: "AAAAAAAA", slot: code.slot, addresses: [rogue.address] });
  }
  await assert.rejects(scene.join(e, code), PairingError);
  // A rogue learns whether its guess was right from a tag alone; the others saw none.
  const guesses = rogues.flatMap(({ failed }) => failed)
    .filter(({ failure }) => failure === "wrong_secret");
  assert.ok(guesses.length >= 1 && guesses.length <= 3, JSON.stringify(guesses));
  assert.deepEqual(trusts(e), []);
});

Deno.test("a man in the middle who relays the right code is refused by both sides", async () => {
  await using scene = new Scene();
  const [d, e, m] = [await scene.device("d"), await scene.device("e"), await scene.device("m")];
  const shown = await scene.show(d);
  const relay = await Relay.start(m, shown.address);
  const joining = scene.join(e, shown.code, { address: relay.address });
  await assert.rejects(joining, fails("wrong_secret"));
  assert.ok(relay.bytes > 100, "the whole run went through the relay");
  await until(() => shown.failed.length > 0);
  assert.deepEqual(shown.failed, [{ failure: "wrong_secret", attemptsLeft: 2 }]);
  assert.deepEqual([trusts(d), trusts(e), trusts(m)], [[], [], []]);
  // The right code is still good for the right device.
  const [paired] = await Promise.all([
    scene.join(e, shown.code, { address: shown.address }),
    shown.paired,
  ]);
  assert.equal(paired.entry.id, idOf(d));
});

Deno.test("with an invitation a man in the middle is left before a word is said", async () => {
  await using scene = new Scene();
  const [d, e, m] = [await scene.device("d"), await scene.device("e"), await scene.device("m")];
  const shown = await scene.show(d);
  const relay = await Relay.start(m, shown.address);
  const joining = scene.join(e, shown.invitation, { address: relay.address });
  await assert.rejects(joining, fails("wrong_device"));
  await assert.rejects(joining, { code: "peer_untrusted" });
  assert.equal(relay.bytes, 0);
  assert.deepEqual(shown.failed, []);
});

Deno.test("a device that shows a code does not pair with itself", async () => {
  await using scene = new Scene();
  const d = await scene.device("d");
  const shown = await scene.show(d);
  await assert.rejects(scene.join(d, shown.invitation), fails("same_device"));
  await assert.rejects(scene.join(d, shown.code), fails("same_device"));
  assert.deepEqual(trusts(d), []);
});

Deno.test("pairing again is harmless, and a name that is taken gives way", async () => {
  await using scene = new Scene();
  const [d, e, f] = [await scene.device("d"), await scene.device("e"), await scene.device("f")];
  const pair = async (device: OrchestratedDevice) => {
    const { code, address, paired } = await scene.show(device);
    const [{ entry, takenName }] = await Promise.all([
      scene.join(e, code, { address, alias: "nas" }),
      paired,
    ]);
    return [entry.alias, takenName];
  };
  assert.deepEqual(await pair(d), ["nas", undefined]);
  assert.deepEqual(await pair(d), ["nas", undefined]);
  assert.equal(trusts(e).length, 1);
  assert.deepEqual(await pair(f), ["f", "nas"]);
});

Deno.test("outside an open window a client that wants to pair gets TLS alert 120", async () => {
  await using scene = new Scene();
  const [d, e] = [await scene.device("d"), await scene.device("e")];
  await using server = await serveNothing(d, LOOPBACK);
  const endpoint = await e.orchestrator.initializeQuicTransport();
  const dialling = endpoint.connect(server.address, { alpn: "landropic-pair/1", verify() {} });
  await assert.rejects(dialling, (error: unknown) => {
    assert.ok(error instanceof ConnectionLost);
    assert.deepEqual([error.info.by, error.info.code], ["peer", 0x178]);
    return true;
  });
  const { address } = server;
  await assert.rejects(scene.join(e, PairingCode.generate(), { address, timeoutMs: 300 }), {
    code: "timed_out",
    message: /a device answers there, but shows no code/,
  });
});

Deno.test("a trusted device can't sync with one that shows a code", async () => {
  await using scene = new Scene();
  const [d, e] = [await scene.device("d"), await scene.device("e")];
  await Promise.all([d.trust(e, "e"), e.trust(d, "d")]);
  const shown = await scene.show(d);
  shown.paired.catch(() => {});
  const entry = e.orchestrator.trust.resolve("d");
  const options = { timeoutMs: 1000, signal: scene.stop.signal };
  await assert.rejects(e.orchestrator.dial(entry, shown.address, options), ConnectionLost);
});

Deno.test("a silent client keeps nobody from pairing", async () => {
  await using scene = new Scene();
  const [d, e, s] = [await scene.device("d"), await scene.device("e"), await scene.device("s")];
  const shown = await scene.show(d);
  const endpoint = await s.orchestrator.initializeQuicTransport();
  const silent = { alpn: "landropic-pair/1", verify() {} };
  await using _one = await endpoint.connect(shown.address, silent);
  await using _two = await endpoint.connect(shown.address, silent);
  const { address } = shown;
  const [paired] = await Promise.all([scene.join(e, shown.code, { address }), shown.paired]);
  assert.equal(paired.isConfirmed, true);
});

Deno.test("a code without discovery and without an address is a usage mistake, said at once", async () => {
  using folder = temporaryFolder();
  await using e = await OrchestratedDevice.open(folder.path, "e");
  const joining = joinPairing(e.orchestrator, {
    ticket: PairingCode.generate(),
    address: undefined,
    servePort: PORT,
    timeoutMs: 60_000,
    alias: undefined,
    signal: new AbortController().signal,
  });
  await assert.rejects(joining, { code: "usage", hint: /--address/ });
});

Deno.test("both sides stop when they are told to, and nobody is trusted", async () => {
  const scene = new Scene();
  const [d, e] = [await scene.device("d"), await scene.device("e")];
  const shown = await scene.show(d);
  const joining = scene.join(e, wrongCode(shown.code), { address: { host: LOOPBACK, port: 9 } });
  joining.catch(() => {});
  shown.paired.catch(() => {});
  scene.stop.abort(new Error("the test is over"));
  await assert.rejects(shown.paired, /the test is over/);
  await assert.rejects(joining, /the test is over/);
  assert.deepEqual([trusts(d), trusts(e)], [[], []]);
  await scene[Symbol.asyncDispose]();
});

Deno.test("no log of either side holds a word of the code or the invitation", async () => {
  await using scene = new Scene();
  const [d, e] = [await scene.device("d"), await scene.device("e")];
  const shown = await scene.show(d);
  const { address } = shown;
  const wrong = scene.join(e, wrongCode(shown.code), { address });
  await assert.rejects(wrong, (error: Error) => !/zoo/.test(`${error.message} ${error.stack}`));
  await Promise.all([scene.join(e, shown.code, { address }), shown.paired]);
  const logged = JSON.stringify([d.log, e.log]);
  for (const word of shown.code.reveal().split("-").slice(1)) {
    assert.doesNotMatch(logged, new RegExp(`\\b${word}\\b`));
  }
  assert.ok(!logged.includes(shown.invitation.reveal().slice(5)));
});

/** A device that carries a pairing run between two others, over connections with a key of its own. */
class Relay {
  bytes = 0;
  readonly address: { host: string; port: number };

  static async start(device: OrchestratedDevice, to: Shown["address"]): Promise<Relay> {
    const endpoint = await device.orchestrator.initializeQuicTransport({ host: LOOPBACK, port: 0 });
    const relay = new Relay(endpoint.localAddress);
    endpoint.listen({
      alpns: () => ["landropic-pair/1"],
      verify: () => {},
      onConnection: (near) => {
        void (async () => {
          const far = await endpoint.connect(to, { alpn: "landropic-pair/1", verify() {} });
          await relay.#join(near, far);
        })().catch(() => {});
      },
    });
    return relay;
  }

  private constructor(address: { host: string; port: number }) {
    this.address = address;
  }

  async #join(near: QuicConnection, far: QuicConnection): Promise<void> {
    const { value: a } = await near.incomingBidi.next();
    const b = await far.openBidi();
    await Promise.all([this.#copy(a, b), this.#copy(b, a)]);
  }

  async #copy(from: BidiStream, to: BidiStream): Promise<void> {
    const buffer = new Uint8Array(4096);
    for (let length; (length = await from.recv.read(buffer)) !== null;) {
      this.bytes += length;
      await to.send.write(buffer.slice(0, length));
    }
    await to.send.finish();
  }
}
