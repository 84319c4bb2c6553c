import assert from "node:assert/strict";
import fc from "fast-check";
import { toHex, utf8 } from "../../../src/base/bytes.ts";
import {
  ATTEMPTS_MAX,
  DONE_TIMEOUT_MS,
  FAILURE_PAUSE_MS,
  Invitation,
  PairingCode,
  type PairingSession,
  PairingWindow,
  RUN_TIMEOUT_MS,
  TargetBudget,
  WINDOW_LIFETIME_MS,
} from "../../../src/identity/pairing/mod.ts";
import {
  decodePairingMessage,
  encodePairingMessage,
  type PairingMessage,
} from "../../../src/identity/pairing/pairing_message.ts";
import {
  carry,
  drain,
  endOf,
  fingerprintOf,
  makeDisplayer,
  makeEnterer,
  RIGHT_CODE,
  WRONG_CODE,
} from "./run_harness.ts";

const NOTHING_STORED = { entererStored: [], displayerStored: [] };

function stored(record: { entererStored: unknown[]; displayerStored: unknown[] }) {
  return { entererStored: record.entererStored, displayerStored: record.displayerStored };
}

Deno.test("EntererSession and DisplayerSession with one code trust each other's key", () => {
  const window = new PairingWindow(0);
  const enterer = makeEnterer({ name: "lap\x1b[2Jtop" });
  const displayer = makeDisplayer({ window });
  const record = carry(enterer, displayer);
  assert.deepEqual(stored(record), {
    entererStored: [
      { fingerprint: toHex(fingerprintOf("displayer")), name: "desk", method: "code" },
    ],
    displayerStored: [
      { fingerprint: toHex(fingerprintOf("enterer")), name: "lap[2Jtop", method: "code" },
    ],
  });
  for (const session of [enterer, displayer]) {
    assert.ok(session.outcome?.type === "paired" && session.outcome.confirmed);
    assert.equal(session.pollTimeout(), Infinity);
  }
  assert.equal(window.state(0), "used");
  assert.deepEqual(record.sent.slice(0, 6), [
    ">enterer_nonce",
    "<displayer_nonce",
    ">enterer_share",
    "<displayer_share",
    ">enterer_tag",
    "<displayer_tag",
  ]);
});

Deno.test("PairingSession pairs by the token of an invitation, and by either of two secrets", () => {
  const nowMs = Date.UTC(2026, 5, 1);
  const made = Invitation.create({
    fingerprint: fingerprintOf("displayer"),
    expiresAtMs: nowMs + 60_000,
    port: 9876,
    addresses: ["192.0.2.7"],
    name: "desk",
  }, nowMs);
  const invitation = Invitation.decode(made.reveal(), nowMs);
  const secrets = [RIGHT_CODE.secret(), made.secret()];
  const byToken = makeEnterer({
    secret: invitation.secret(),
    expectedFingerprint: invitation.fingerprint,
  });
  const record = carry(byToken, makeDisplayer({ secrets }));
  assert.equal(endOf(byToken), "paired");
  assert.deepEqual(record.displayerStored.map(({ method }) => method), ["token"]);
  const byCode = makeEnterer();
  carry(byCode, makeDisplayer({ secrets }));
  assert.equal(endOf(byCode), "paired");
});

Deno.test("PairingSession asks for the trust entry before it says done", () => {
  const enterer = makeEnterer();
  const displayer = makeDisplayer();
  const step = (from: PairingSession, to: PairingSession) => {
    const bytes = from.pollTransmit()!;
    to.handleMessage(bytes, 0);
    return decodePairingMessage(bytes).type;
  };
  for (let i = 0; i < 2; i++) {
    step(enterer, displayer);
    step(displayer, enterer);
  }
  assert.equal(step(enterer, displayer), "enterer_tag");
  assert.equal(step(displayer, enterer), "displayer_tag");
  for (const session of [enterer, displayer]) {
    assert.equal(session.pollTransmit(), undefined, "said something before its trust was stored");
    assert.equal(session.pollEffect()?.type, "trust");
    assert.equal(session.outcome, undefined);
    session.handleTrustStored(0);
    assert.equal(decodePairingMessage(session.pollTransmit()!).type, "done");
  }
});

Deno.test("PairingSession takes its wish for trust back where the run fails first", () => {
  const enterer = makeEnterer();
  const displayer = makeDisplayer();
  for (let i = 0; i < 2; i++) {
    displayer.handleMessage(enterer.pollTransmit()!, 0);
    enterer.handleMessage(displayer.pollTransmit()!, 0);
  }
  displayer.handleMessage(enterer.pollTransmit()!, 0);
  displayer.handleDisconnect(0);
  assert.equal(endOf(displayer), "connection_lost");
  assert.equal(displayer.pollEffect(), undefined);
  displayer.handleTrustStored(0);
  assert.equal(endOf(displayer), "connection_lost");
});

Deno.test("PairingSession with a wrong code fails on both sides, stores nothing, spends one attempt", () => {
  const window = new PairingWindow(0);
  const enterer = makeEnterer({ secret: WRONG_CODE.secret() });
  const displayer = makeDisplayer({ window });
  const record = carry(enterer, displayer);
  assert.equal(endOf(enterer), "wrong_secret");
  assert.equal(endOf(displayer), "wrong_secret");
  assert.deepEqual(stored(record), NOTHING_STORED);
  assert.equal(window.attemptsLeft, ATTEMPTS_MAX - 1);
  assert.ok(!record.sent.includes("<displayer_tag"), "the displayer's tag allows a guess");
});

Deno.test("DisplayerSession refuses a method it does not offer, at no attempt", () => {
  const window = new PairingWindow(0);
  const token = Invitation.create({
    fingerprint: fingerprintOf("displayer"),
    expiresAtMs: 60_000,
    port: 1,
    addresses: [],
    name: "",
  }, 0).secret();
  const enterer = makeEnterer({ secret: token });
  carry(enterer, makeDisplayer({ window }));
  assert.equal(endOf(enterer), "wrong_secret");
  assert.equal(window.attemptsLeft, ATTEMPTS_MAX);
});

Deno.test("DisplayerSession has spent an attempt once its share is out, though the enterer leaves", () => {
  const window = new PairingWindow(0);
  const enterer = makeEnterer();
  using displayer = makeDisplayer({ window });
  displayer.handleMessage(enterer.pollTransmit()!, 0);
  enterer.handleMessage(displayer.pollTransmit()!, 0);
  assert.equal(window.attemptsLeft, ATTEMPTS_MAX);
  displayer.handleMessage(enterer.pollTransmit()!, 0);
  assert.equal(window.attemptsLeft, ATTEMPTS_MAX - 1);
  displayer.handleDisconnect(0);
  assert.equal(endOf(displayer), "connection_lost");
  assert.equal(window.attemptsLeft, ATTEMPTS_MAX - 1);
});

Deno.test("DisplayerSession refuses the fourth attempt, even with the right code", () => {
  const window = new PairingWindow(0);
  let nowMs = 0;
  for (let i = 0; i < ATTEMPTS_MAX; i++, nowMs += FAILURE_PAUSE_MS) {
    const wrong = makeEnterer({ secret: WRONG_CODE.secret(), nowMs });
    carry(wrong, makeDisplayer({ window, nowMs }), { nowMs });
    assert.equal(endOf(wrong), "wrong_secret");
  }
  const enterer = makeEnterer({ nowMs });
  const record = carry(enterer, makeDisplayer({ window, nowMs }), { nowMs });
  assert.equal(endOf(enterer), "attempts_spent");
  assert.deepEqual(stored(record), NOTHING_STORED);
  assert.ok(
    enterer.outcome?.type === "failed" && /guessing/.test(enterer.outcome.error.message),
  );
});

Deno.test("DisplayerSession refuses an expired code, a second use, and a second run at once", () => {
  const expired = makeEnterer({ nowMs: WINDOW_LIFETIME_MS });
  const window = new PairingWindow(0);
  const nowMs = WINDOW_LIFETIME_MS;
  carry(expired, makeDisplayer({ window, nowMs }), { nowMs });
  assert.equal(endOf(expired), "expired");

  const usedWindow = new PairingWindow(0);
  const first = makeDisplayer({ window: usedWindow });
  const meanwhile = makeEnterer();
  carry(meanwhile, makeDisplayer({ window: usedWindow, address: "192.0.2.2" }));
  assert.equal(endOf(meanwhile), "busy");
  carry(makeEnterer(), first);
  const second = makeEnterer();
  carry(second, makeDisplayer({ window: usedWindow }));
  assert.equal(endOf(second), "used");
});

Deno.test("DisplayerSession frees its place when it is disposed", () => {
  const window = new PairingWindow(0);
  {
    using _abandoned = makeDisplayer({ window });
  }
  const enterer = makeEnterer({ nowMs: FAILURE_PAUSE_MS });
  carry(enterer, makeDisplayer({ window, nowMs: FAILURE_PAUSE_MS }), { nowMs: FAILURE_PAUSE_MS });
  assert.equal(endOf(enterer), "paired");
});

/** Mallory ends both TLS connections with a certificate of her own, so each side sees her key. */
function betweenMallory() {
  return {
    enterer: makeEnterer({ peer: "mallory" }),
    displayer: makeDisplayer({ peer: "mallory" }),
  };
}

Deno.test("PairingSession resists a man in the middle who relays the run of the right code", () => {
  const { enterer, displayer } = betweenMallory();
  const record = carry(enterer, displayer);
  assert.equal(endOf(enterer), "wrong_secret");
  assert.equal(endOf(displayer), "wrong_secret");
  assert.deepEqual(stored(record), NOTHING_STORED);
});

Deno.test("PairingSession resists a man in the middle who swaps messages of his own in", () => {
  // Mallory plays a full run with each side, guessing the code wrong, and mixes in what she relays.
  const types = [
    "enterer_nonce",
    "displayer_nonce",
    "enterer_share",
    "displayer_share",
    "enterer_tag",
    "displayer_tag",
  ] as const;
  fc.assert(fc.property(fc.subarray([...types]), (swapped) => {
    const { enterer, displayer } = betweenMallory();
    const toEnterer = makeDisplayer({
      own: "mallory",
      seeds: "mallory",
      secrets: [WRONG_CODE.secret()],
    });
    const toDisplayer = makeEnterer({
      own: "mallory",
      seeds: "mallory",
      secret: WRONG_CODE.secret(),
    });
    const record = carry(enterer, displayer, {
      relay: (from, bytes) => {
        const own = from === "enterer" ? toDisplayer : toEnterer;
        const mirror = from === "enterer" ? toEnterer : toDisplayer;
        mirror.handleMessage(bytes, 0);
        const replacement = own.pollTransmit();
        const { type } = decodePairingMessage(bytes);
        return [swapped.includes(type as typeof types[number]) && replacement || bytes];
      },
    });
    assert.notEqual(endOf(enterer), "paired");
    assert.notEqual(endOf(displayer), "paired");
    assert.deepEqual(stored(record), NOTHING_STORED);
  }));
});

Deno.test("PairingSession resists a man in the middle who forges the final done", () => {
  const { enterer, displayer } = betweenMallory();
  const done = encodePairingMessage({ type: "done" });
  const record = carry(enterer, displayer, { relay: (_, bytes) => [bytes, done] });
  assert.deepEqual(stored(record), NOTHING_STORED);
});

Deno.test("EntererSession refuses its own messages reflected", () => {
  const enterer = makeEnterer();
  enterer.handleMessage(enterer.pollTransmit()!, 0);
  assert.equal(endOf(enterer), "protocol");
});

Deno.test("EntererSession refuses its own nonce and share under the displayer's message types", () => {
  const mirrored = (message: PairingMessage): PairingMessage | undefined => {
    if (message.type === "enterer_nonce") return { type: "displayer_nonce", nonce: message.nonce };
    if (message.type === "enterer_share") return { ...message, type: "displayer_share" };
    return undefined;
  };
  const echoed = makeEnterer();
  echoed.handleMessage(encodePairingMessage(mirrored(drain(echoed)[0]!)!), 0);
  assert.equal(endOf(echoed), "protocol");

  const enterer = makeEnterer();
  drain(enterer);
  enterer.handleMessage(
    encodePairingMessage({ type: "displayer_nonce", nonce: new Uint8Array(16) }),
    0,
  );
  enterer.handleMessage(encodePairingMessage(mirrored(drain(enterer)[0]!)!), 0);
  assert.equal(endOf(enterer), "protocol");
  assert.ok(!drain(enterer).some(({ type }) => type === "enterer_tag"));
});

Deno.test("DisplayerSession refuses its own nonce and its own share, at no attempt", () => {
  const entererNonce = drain(makeEnterer())[0]!;
  const enterer = makeEnterer();
  drain(enterer);
  // Same seeds, so the same nonce and share as the session under test will use.
  const learned = makeDisplayer();
  learned.handleMessage(encodePairingMessage(entererNonce), 0);
  const [nonceMessage] = drain(learned);
  assert.ok(nonceMessage?.type === "displayer_nonce");
  enterer.handleMessage(encodePairingMessage(nonceMessage), 0);
  learned.handleMessage(enterer.pollTransmit()!, 0);
  const [shareMessage] = drain(learned);
  assert.ok(shareMessage?.type === "displayer_share");

  const echoedNonce = makeDisplayer();
  echoedNonce.handleMessage(
    encodePairingMessage({ type: "enterer_nonce", method: "code", nonce: nonceMessage.nonce }),
    0,
  );
  assert.equal(endOf(echoedNonce), "protocol");

  const window = new PairingWindow(0);
  const echoedShare = makeDisplayer({ window });
  echoedShare.handleMessage(encodePairingMessage(entererNonce), 0);
  echoedShare.handleMessage(encodePairingMessage({ ...shareMessage, type: "enterer_share" }), 0);
  assert.equal(endOf(echoedShare), "protocol");
  assert.equal(window.attemptsLeft, ATTEMPTS_MAX);
});

Deno.test("PairingSession refuses a peer with its own fingerprint before a word", () => {
  const enterer = makeEnterer({ peer: "enterer" });
  assert.equal(endOf(enterer), "same_device");
  assert.deepEqual(drain(enterer), []);
  const window = new PairingWindow(0);
  const displayer = makeDisplayer({ peer: "displayer", window });
  assert.equal(endOf(displayer), "same_device");
  assert.deepEqual(drain(displayer), []);
  assert.ok(typeof window.beginRun("192.0.2.1", 0) === "object", "the place is still free");
});

Deno.test("EntererSession leaves a device other than the invitation's before a word", () => {
  const enterer = makeEnterer({ peer: "mallory", expectedFingerprint: fingerprintOf("displayer") });
  assert.equal(endOf(enterer), "wrong_device");
  assert.equal(enterer.pollTransmit(), undefined);
});

Deno.test("PairingSession refuses the draft's invalid shares", () => {
  const invalid = [
    "2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c",
    "00".repeat(32),
  ];
  for (const hex of invalid) {
    for (const forged of ["enterer_share", "displayer_share"] as const) {
      const window = new PairingWindow(0);
      const enterer = makeEnterer();
      const displayer = makeDisplayer({ window });
      const record = carry(enterer, displayer, {
        relay: (_, bytes) => {
          const message = decodePairingMessage(bytes);
          if (message.type !== forged) return [bytes];
          const share = Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16));
          return [encodePairingMessage({ ...message, share })];
        },
      });
      assert.equal(endOf(forged === "enterer_share" ? displayer : enterer), "protocol");
      assert.deepEqual(stored(record), NOTHING_STORED);
      assert.equal(
        window.attemptsLeft,
        forged === "enterer_share" ? ATTEMPTS_MAX : ATTEMPTS_MAX - 1,
      );
    }
  }
});

Deno.test("EntererSession stops after three devices that took the same slot", () => {
  const targets = new TargetBudget();
  for (let i = 0; i < 3; i++) {
    const enterer = makeEnterer({ targets, peer: `rogue ${i}` });
    carry(enterer, makeDisplayer({ own: `rogue ${i}`, secrets: [WRONG_CODE.secret()] }));
    assert.equal(endOf(enterer), "wrong_secret");
  }
  const enterer = makeEnterer({ targets });
  const record = carry(enterer, makeDisplayer());
  assert.equal(endOf(enterer), "attempts_spent");
  assert.ok(!record.sent.includes(">enterer_tag"));
});

Deno.test("PairingSession pairs only where nothing on the wire was changed", () => {
  fc.assert(
    fc.property(
      fc.nat(7),
      fc.nat(400),
      fc.integer({ min: 1, max: 255 }),
      (which, at, mask) => {
        let count = 0;
        const enterer = makeEnterer();
        const displayer = makeDisplayer();
        const record = carry(enterer, displayer, {
          relay: (_, bytes) => {
            if (count++ !== which) return [bytes];
            const index = at % bytes.length;
            return [bytes.with(index, bytes[index]! ^ mask)];
          },
        });
        // Messages 0 to 4 come before anyone's trust; 5 is the displayer's tag, after its own.
        if (which <= 4) assert.deepEqual(stored(record), NOTHING_STORED);
        if (which === 5 || which <= 4) assert.deepEqual(record.entererStored, []);
        assert.ok(record.displayerStored.length <= 1);
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("PairingSession takes the stream in pieces of any size", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (cuts) => {
      let i = 0;
      const enterer = makeEnterer();
      const displayer = makeDisplayer();
      carry(enterer, displayer, {
        relay: (_, bytes) => {
          const pieces: Uint8Array[] = [];
          for (let at = 0; at < bytes.length;) {
            const end = at + cuts[i++ % cuts.length]!;
            pieces.push(bytes.subarray(at, end));
            at = end;
          }
          return pieces;
        },
      });
      assert.equal(endOf(enterer), "paired");
      assert.equal(endOf(displayer), "paired");
    }),
    { numRuns: 20 },
  );
});

Deno.test("PairingSession never throws and never trusts, whatever bytes a stranger sends", () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.tuple(fc.integer({ min: 0, max: 8 }), fc.uint8Array({ maxLength: 70 })).map(
      ([type, payload]) =>
        payload.length < 64
          ? new Uint8Array([type, payload.length, ...payload])
          : new Uint8Array([type, 0x40, payload.length, ...payload]),
    ),
  );
  fc.assert(fc.property(fc.array(anything, { maxLength: 6 }), (messages) => {
    for (const session of [makeEnterer(), makeDisplayer()]) {
      for (const bytes of messages) session.handleBytes(bytes, 0);
      assert.equal(session.pollEffect(), undefined);
      assert.notEqual(endOf(session), "paired");
    }
  }));
});

Deno.test("PairingSession gives up on a silent peer, and frees the window's place", () => {
  const window = new PairingWindow(0);
  const displayer = makeDisplayer({ window });
  assert.equal(displayer.pollTimeout(), RUN_TIMEOUT_MS);
  displayer.handleTimeout(RUN_TIMEOUT_MS - 1);
  assert.equal(endOf(displayer), "running");
  displayer.handleTimeout(RUN_TIMEOUT_MS);
  assert.equal(endOf(displayer), "timed_out");
  assert.deepEqual(drain(displayer), [{ type: "refusal", reason: "timed_out" }]);
  const nowMs = RUN_TIMEOUT_MS + FAILURE_PAUSE_MS;
  assert.equal(typeof window.beginRun("192.0.2.1", nowMs), "object");

  const late = makeDisplayer();
  late.handleMessage(makeEnterer().pollTransmit()!, RUN_TIMEOUT_MS);
  assert.equal(endOf(late), "timed_out");
});

Deno.test("PairingSession that lost the last done is paired and says that it is unconfirmed", () => {
  for (const how of ["timeout", "disconnect"] as const) {
    const enterer = makeEnterer();
    const displayer = makeDisplayer();
    carry(enterer, displayer, {
      relay: (from, bytes) =>
        from === "displayer" && decodePairingMessage(bytes).type === "done" ? [] : [bytes],
    });
    assert.equal(endOf(displayer), "paired");
    assert.equal(endOf(enterer), "running");
    if (how === "timeout") enterer.handleTimeout(DONE_TIMEOUT_MS);
    else enterer.handleDisconnect(5);
    assert.ok(enterer.outcome?.type === "paired" && !enterer.outcome.confirmed);
  }
});

Deno.test("PairingSession whose trust store fails says so to both users", () => {
  for (const side of ["enterer", "displayer"] as const) {
    const enterer = makeEnterer();
    const displayer = makeDisplayer();
    carry(enterer, displayer, { storeFails: side });
    const [failing, other] = side === "enterer" ? [enterer, displayer] : [displayer, enterer];
    assert.equal(endOf(failing), "trust_not_stored");
    assert.equal(endOf(other), "peer_failed");
  }
});

Deno.test("PairingSession says nothing in its errors, effects or inspection that is secret", () => {
  const code = PairingCode.parse("42-apple-river-stone");
  const texts: string[] = [];
  for (const secret of [code.secret(), WRONG_CODE.secret()]) {
    const enterer = makeEnterer({ secret });
    const displayer = makeDisplayer({ secrets: [code.secret()] });
    const record = carry(enterer, displayer);
    for (const session of [enterer, displayer]) {
      texts.push(Deno.inspect(session, { depth: 9, showHidden: true }), JSON.stringify(session));
      if (session.outcome?.type === "failed") {
        const { error } = session.outcome;
        texts.push(error.message, error.hint ?? "", error.stack ?? "");
      }
    }
    texts.push(JSON.stringify(record));
  }
  const seen = texts.join("\n");
  assert.doesNotMatch(seen, /apple|river|story/);
  const wordBytes = [...utf8("apple")].join(", ");
  assert.ok(!seen.includes(wordBytes), "the words as bytes");
});

Deno.test("PairingSession refuses seeds and fingerprints of another length as a bug", () => {
  const good = {
    ownFingerprint: fingerprintOf("a"),
    peerFingerprint: fingerprintOf("b"),
  };
  for (const wrong of ["ownFingerprint", "peerFingerprint"] as const) {
    assert.throws(
      () => {
        const options = { ...good, [wrong]: new Uint8Array(31) };
        const enterer = makeEnterer();
        Reflect.construct(enterer.constructor as new () => unknown, [{
          ...options,
          ownName: "x",
          seeds: { nonce: new Uint8Array(16), scalar: new Uint8Array(32).fill(1) },
          nowMs: 0,
          secret: RIGHT_CODE.secret(),
          targets: new TargetBudget(),
        }]);
      },
      RangeError,
    );
  }
});
