import { messageOf } from "../base/errors.ts";
import { CLOSE_CODE } from "../base/wire_codes.ts";
import {
  createRotation,
  deviceIdFromFingerprint,
  IdentityError,
  loadNextIdentity,
  verifyRotation,
} from "../identity/mod.ts";
import type { Message, RotateKey } from "../protocol/mod.ts";
import type { QuicConnection } from "../quic/mod.ts";
import type { Orchestrator } from "./orchestrator.ts";

/**
 * What this device says in every session right behind its Hello: the key that it is moving to, if it
 * is. Reads one small file, so that a server hears of a move that was begun after it started.
 */
export async function openingMessages(orchestrator: Orchestrator): Promise<Message[]> {
  const { configDir: folder, clock, logger } = orchestrator.options;
  try {
    const next = await loadNextIdentity({ folder, clock, logger });
    if (next === undefined) return [];
    const rotation = createRotation(orchestrator.identity, next.identity);
    return [{
      type: "rotate-key",
      newSpki: rotation.newSpki.slice(),
      signatureOld: rotation.signatureByOld.slice(),
      signatureNew: rotation.signatureByNew.slice(),
    }];
  } catch (error) {
    logger.log("warn", `cannot tell peers of the next key: ${messageOf(error)}`);
    return [];
  }
}

/**
 * Makes what takes a peer's word on its next key: checked against the key that this connection showed,
 * then written down. False signatures end the connection; a change that the trust store refuses is
 * only told of.
 */
export function rotationTaker(
  orchestrator: Orchestrator,
  connection: QuicConnection,
): (message: RotateKey) => void {
  let isTaken = false;
  return (message) => {
    // Once a session is enough, and cheap however often a peer repeats it.
    if (!isTaken) orchestrator.background(take(orchestrator, connection, message));
    isTaken = true;
  };
}

async function take(
  orchestrator: Orchestrator,
  connection: QuicConnection,
  { newSpki, signatureOld, signatureNew }: RotateKey,
): Promise<void> {
  const { trust, options: { logger } } = orchestrator;
  const { spki, fingerprint } = orchestrator.verify(connection.peer);
  const before = trust.get(fingerprint);
  const name = before?.alias ?? "a peer";
  try {
    const rotation = verifyRotation(
      { newSpki, signatureByOld: signatureOld, signatureByNew: signatureNew },
      spki,
    );
    if (before?.successor === undefined) {
      const id = deviceIdFromFingerprint(rotation.newFingerprint);
      logger.log("warn", `"${name}" is moving to a new key; its id will be ${id}`);
    }
    await trust.rotate(rotation);
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error;
    logger.log("warn", `${messageOf(error)} (from "${name}")`);
    if (error.reason === "rotation_invalid") await connection.close(CLOSE_CODE.protocolError);
  }
}
