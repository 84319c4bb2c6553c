import assert from "node:assert/strict";
import fc from "fast-check";
import { LandropicError, UsageError } from "../../src/base/errors.ts";
import { EXIT_CODE } from "../../src/cli/exit_codes.ts";
import { describeFailure } from "../../src/cli/failure.ts";

Deno.test("EXIT_CODE is the table of the command-line contract", () => {
  assert.deepEqual(EXIT_CODE, {
    failed: 1,
    usage: 2,
    partial: 3,
    conflicts: 4,
    safety_limit: 5,
    locked: 6,
    peer_unreachable: 10,
    peer_untrusted: 11,
    protocol: 12,
    share_unavailable: 13,
    storage: 14,
    timed_out: 15,
    interrupted: 130,
  });
});

Deno.test("describeFailure() finds the code of landropic's, the system's and the web's errors", () => {
  const suppressed = new SuppressedError(new Error("close"), new UsageError("first"));
  const cases: [unknown, string, string][] = [
    [new LandropicError("locked", "busy"), "locked", "busy"],
    [new UsageError("bad"), "usage", "bad"],
    [suppressed, "usage", "first"],
    [new AggregateError([new UsageError("only")]), "usage", "only"],
    [new AggregateError([new UsageError("a"), new UsageError("b")], "two"), "failed", "two"],
    [new DOMException("stop", "AbortError"), "interrupted", "stop"],
    [new DOMException("late", "TimeoutError"), "timed_out", "late"],
    [new Deno.errors.PermissionDenied("no"), "storage", "no"],
    [Object.assign(new Error("full"), { code: "ENOSPC" }), "storage", "full"],
    [Object.assign(new Error("x"), { code: "EWHATEVER" }), "failed", "x"],
    [new TypeError("bug"), "failed", "bug"],
    [new Error(""), "failed", "Error"],
    [new Error("two\n  lines\r\n"), "failed", "two lines"],
    ["text", "failed", "text"],
    [undefined, "failed", "undefined"],
    [null, "failed", "null"],
    [{}, "failed", "an unknown error"],
    [Object.create(null), "failed", "an unknown error"],
    [Symbol("s"), "failed", "Symbol(s)"],
  ];
  for (const [thrown, code, message] of cases) {
    const failure = describeFailure(thrown);
    assert.deepEqual([failure.code, failure.message], [code, message]);
  }
});

Deno.test("describeFailure() keeps the hint and the whole chain of causes", () => {
  const inner = new Error("inner");
  const failure = describeFailure(new LandropicError("storage", "outer", "free\nspace", inner));
  assert.equal(failure.hint, "free space");
  assert.match(failure.stack, /outer[^]*caused by: Error: inner/);
});

Deno.test("describeFailure() ends where causes go in circles", () => {
  const error = new Error("round");
  error.cause = error;
  assert.ok(describeFailure(error).stack.length < 100_000);
});

Deno.test("describeFailure() never throws and always has one line to say", () => {
  fc.assert(fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), (thrown) => {
    const { message } = describeFailure(thrown);
    assert.ok(message !== "" && !/[\r\n]/.test(message));
  }));
});
