import { nextTurn } from "../../base/turn.ts";

/**
 * Gives other work two turns: in the first, what was asked for just now is handed to the transport, in the
 * second it is sent. For who is about to keep the event loop busy while the peer could be at work too.
 */
export async function untilSent(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) {
    await nextTurn();
  }
}
