import assert from "node:assert/strict";
import { type Message, ProtocolError, type Request } from "../../../src/protocol/mod.ts";
import { SessionRouter } from "../../../src/sync/mod.ts";
import type { DuplexStream } from "../../../src/sync/link/transport.ts";

class FakeSession {
  readonly heard: string[] = [];
  handleMessage(message: Message): void {
    this.heard.push(message.type);
  }
  handleRequest(request: Request): Promise<void> {
    this.heard.push(request.kind);
    return Promise.resolve();
  }
}

function fakeStream() {
  const codes: number[] = [];
  const note = (code: number) => void codes.push(code);
  const stream = { send: { reset: note }, recv: { stop: note } } as unknown as DuplexStream;
  return { stream, codes };
}

Deno.test("SessionRouter gives each session what is for it, and drops what comes late", async () => {
  const router = new SessionRouter(() => {});
  const one = router.begin(() => new FakeSession());
  const two = router.begin(() => new FakeSession());
  assert.notEqual(one.id, two.id);
  router.handleMessage({ type: "sync-ack", session: two.id });
  const { stream, codes } = fakeStream();
  await router.handleRequest({ kind: "get-dirs", session: one.id, dirs: [] }, stream);
  assert.deepEqual([one.session.heard, two.session.heard], [["get-dirs"], ["sync-ack"]]);
  router.end(one.id);
  router.handleMessage({ type: "sync-ack", session: one.id });
  await router.handleRequest({ kind: "get-dirs", session: one.id, dirs: [] }, stream);
  assert.deepEqual(one.session.heard, ["get-dirs"]);
  assert.deepEqual(codes, [0x11, 0x11]);
});

Deno.test("SessionRouter hears of changes, and gives errors of the connection to all", () => {
  let changes = 0;
  const router = new SessionRouter(() => changes++);
  const sessions = [1, 2].map(() => router.begin(() => new FakeSession()).session);
  router.handleMessage({ type: "changed", share: "docs" });
  router.handleMessage({ type: "error", session: 0, code: "failed", message: "x" });
  assert.equal(changes, 1);
  assert.deepEqual(sessions.map(({ heard }) => heard), [["error"], ["error"]]);
});

Deno.test("SessionRouter refuses messages of sessions that never were, and those of servers", async () => {
  const router = new SessionRouter(() => {});
  router.begin(() => new FakeSession());
  for (const session of [0, 2]) {
    assert.throws(() => router.handleMessage({ type: "sync-ack", session }), ProtocolError);
    const request = { kind: "get-dirs", session, dirs: [] } as const;
    await assert.rejects(router.handleRequest(request, fakeStream().stream), ProtocolError);
  }
  assert.throws(() => router.handleMessage({ type: "shares-query" }), ProtocolError);
});
