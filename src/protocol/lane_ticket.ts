import { concat, utf8 } from "../base/bytes.ts";
import { sha256 } from "../base/digest.ts";

/** Bytes of a ticket: those of a connection id. */
export const LANE_TICKET_BYTES = 8;

/**
 * By what a connection that is to join a group is known before its handshake: its connection id, which
 * only the two devices of the group can compute. It says which thread should serve it, and proves nothing.
 *
 * @param group The group's random id, from the Hello of its first connection.
 * @param number Counts the connections that join, from 0; each number is good for one.
 */
export function laneTicket(group: Uint8Array, number: number): Uint8Array<ArrayBuffer> {
  const seed = concat([utf8("landropic-lane/1"), group, Uint8Array.of(number >> 8, number)]);
  return sha256(seed).slice(0, LANE_TICKET_BYTES);
}
