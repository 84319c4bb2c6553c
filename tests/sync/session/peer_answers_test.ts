import assert from "node:assert/strict";
import { type Message, ProtocolError } from "../../../src/protocol/mod.ts";
import { PeerAnswers } from "../../../src/sync/session/peer_answers.ts";

const accept = {
  type: "sync-accept",
  session: 1,
  shape: new Uint8Array(32),
} as unknown as Message & { type: "sync-accept" };

Deno.test("PeerAnswers hands on that the peer takes part, and that it knows of the end", async () => {
  const answers = new PeerAnswers("nas");
  answers.handleMessage({ type: "working", session: 1 } as Message);
  answers.handleMessage(accept);
  assert.equal(await answers.accepted, accept);
  answers.handleMessage({ type: "sync-ack", session: 1 } as Message);
  await answers.acked;
});

Deno.test("PeerAnswers ends what is waited for when the peer refuses", async () => {
  const answers = new PeerAnswers("nas");
  const during = answers.untilEnd([new Promise<never>(() => {})]);
  assert.equal(await during(Promise.resolve("done")), "done");
  const waiting = during(answers.accepted);
  const refusal = { type: "error", session: 1, code: "locked", message: "in use" } as Message;
  answers.handleMessage(refusal);
  await assert.rejects(waiting, { name: "LandropicError", message: '"nas" says: in use' });
  // Nothing that begins later waits for such a peer.
  await assert.rejects(during(new Promise(() => {})), /in use/);
});

Deno.test("PeerAnswers ends what is waited for when the connection ends", async () => {
  const answers = new PeerAnswers("nas");
  const ended = Promise.withResolvers<never>();
  const waiting = answers.untilEnd([ended.promise])(answers.acked);
  ended.reject(new Error("connection lost"));
  await assert.rejects(waiting, /connection lost/);
});

Deno.test("PeerAnswers refuses what is not said to the asking side", () => {
  const answers = new PeerAnswers("nas");
  const open = { type: "sync-open", session: 1 } as Message;
  assert.throws(() => answers.handleMessage(open), ProtocolError);
});
