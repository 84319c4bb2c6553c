import assert from "node:assert/strict";
import { bindError } from "../../src/quic/bind_error.ts";

Deno.test("bindError() says that low ports need rights, and of no other port", () => {
  const low = bindError({ host: "127.0.0.1", port: 443 }, "EACCES");
  assert.deepEqual([low.code, low.message], [
    "failed",
    "Cannot listen on 127.0.0.1:443: not allowed",
  ]);
  assert.match(low.hint!, /below 1024 need extra rights/);
  const high = bindError({ host: "::", port: 9876 }, "EACCES");
  assert.match(high.hint!, /another port/);
});

Deno.test("bindError() tells an error that it does not know as it is, with its cause", () => {
  const cause = new Error("no memory");
  const error = bindError({ host: "::1", port: 9876 }, "system error 12", cause);
  assert.equal(error.message, "Cannot listen on [::1]:9876: system error 12");
  assert.deepEqual([error.hint, error.cause], [undefined, cause]);
});
