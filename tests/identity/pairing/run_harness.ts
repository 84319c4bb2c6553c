/** Two sessions and the wires between them, turned by hand. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import {
  DisplayerSession,
  EntererSession,
  PairingCode,
  type PairingMethod,
  type PairingSecret,
  type PairingSeeds,
  type PairingSession,
  PairingWindow,
  TargetBudget,
} from "../../../src/identity/pairing/mod.ts";
import {
  decodePairingMessage,
  type PairingMessage,
} from "../../../src/identity/pairing/pairing_message.ts";

/** 32 bytes that stand for the hash of someone's public key. */
export function fingerprintOf(who: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(`key of ${who}`).digest());
}

/** Seeds that depend on the label alone. */
export function seedsOf(label: string): PairingSeeds {
  const bytes = createHash("sha512").update(`seeds of ${label}`).digest();
  return {
    nonce: new Uint8Array(bytes.subarray(0, 16)),
    scalar: new Uint8Array(bytes.subarray(16, 48)),
  };
}

export const RIGHT_CODE = PairingCode.parse("42-apple-river-stone");
export const WRONG_CODE = PairingCode.parse("42-apple-river-story");

export interface EntererSetup {
  secret?: PairingSecret;
  own?: string;
  peer?: string;
  targets?: TargetBudget;
  expectedFingerprint?: Uint8Array;
  seeds?: string;
  name?: string;
  nowMs?: number;
}

export function makeEnterer(setup: EntererSetup = {}): EntererSession {
  return new EntererSession({
    ownFingerprint: fingerprintOf(setup.own ?? "enterer"),
    peerFingerprint: fingerprintOf(setup.peer ?? "displayer"),
    ownName: setup.name ?? "laptop",
    seeds: seedsOf(setup.seeds ?? "enterer"),
    nowMs: setup.nowMs ?? 0,
    secret: setup.secret ?? RIGHT_CODE.secret(),
    targets: setup.targets ?? new TargetBudget(),
    ...(setup.expectedFingerprint && { expectedFingerprint: setup.expectedFingerprint }),
  });
}

export interface DisplayerSetup {
  secrets?: PairingSecret[];
  own?: string;
  peer?: string;
  window?: PairingWindow;
  address?: string;
  seeds?: string;
  name?: string;
  nowMs?: number;
}

export function makeDisplayer(setup: DisplayerSetup = {}): DisplayerSession {
  return new DisplayerSession({
    ownFingerprint: fingerprintOf(setup.own ?? "displayer"),
    peerFingerprint: fingerprintOf(setup.peer ?? "enterer"),
    ownName: setup.name ?? "desk",
    seeds: seedsOf(setup.seeds ?? "displayer"),
    nowMs: setup.nowMs ?? 0,
    secrets: setup.secrets ?? [RIGHT_CODE.secret()],
    window: setup.window ?? new PairingWindow(0),
    peerAddress: setup.address ?? "192.0.2.1",
  });
}

/** What one side wrote down, as a trust store would. */
export interface Stored {
  readonly fingerprint: string;
  readonly name: string;
  readonly method: PairingMethod;
}

export interface Wires {
  nowMs?: number;
  /** Sees and may change, drop (`[]`) or multiply each message on its way. */
  relay?: (from: "enterer" | "displayer", bytes: Uint8Array) => Uint8Array[];
  /** Both trust stores fail. */
  storeFails?: "enterer" | "displayer";
}

export interface RunRecord {
  /** Message types in the order sent, prefixed `>` (from the enterer) or `<`. */
  readonly sent: string[];
  readonly entererStored: Stored[];
  readonly displayerStored: Stored[];
}

/** Carries messages both ways and writes trust, until nothing moves. */
export function carry(
  enterer: PairingSession,
  displayer: PairingSession,
  wires: Wires = {},
): RunRecord {
  const record: RunRecord = { sent: [], entererStored: [], displayerStored: [] };
  const nowMs = wires.nowMs ?? 0;
  const relay = wires.relay ?? ((_, bytes) => [bytes]);
  const pumpOne = (from: "enterer" | "displayer"): boolean => {
    const [source, target] = from === "enterer" ? [enterer, displayer] : [displayer, enterer];
    const bytes = source.pollTransmit();
    if (bytes) {
      record.sent.push((from === "enterer" ? ">" : "<") + decodePairingMessage(bytes).type);
      for (const arriving of relay(from, bytes)) target.handleBytes(arriving, nowMs);
      return true;
    }
    const effect = source.pollEffect();
    if (!effect) return false;
    if (wires.storeFails === from) {
      source.handleTrustFailed(new Error("disk full"), nowMs);
    } else {
      const stored = from === "enterer" ? record.entererStored : record.displayerStored;
      const fingerprint = Buffer.from(effect.fingerprint).toString("hex");
      stored.push({ fingerprint, name: effect.peerName, method: effect.method });
      source.handleTrustStored(nowMs);
    }
    return true;
  };
  while ([pumpOne("enterer"), pumpOne("displayer")].includes(true));
  return record;
}

/** The failure a session ended with, or what else became of it. */
export function endOf(session: PairingSession): string {
  const { outcome } = session;
  if (!outcome) return "running";
  return outcome.type === "failed" ? outcome.error.failure : outcome.type;
}

/** Every message a session has to send now, decoded. */
export function drain(session: PairingSession): PairingMessage[] {
  const messages: PairingMessage[] = [];
  for (let bytes; (bytes = session.pollTransmit());) messages.push(decodePairingMessage(bytes));
  return messages;
}
