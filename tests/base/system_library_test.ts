import assert from "node:assert/strict";
import { openSystemLibrary } from "../../src/base/system_library.ts";

const linuxOnly = { ignore: Deno.build.os !== "linux" };
const LIBC = "libc.so.6";
const SYMBOLS = {
  abs: { parameters: ["i32"], result: "i32" },
  labs: { parameters: ["i64"], result: "i64" },
  getpid: { parameters: [], result: "i32" },
} as const;

Deno.test({
  name: "openSystemLibrary() has every function, whether it is among the first or not",
  ...linuxOnly,
  fn() {
    const functions = openSystemLibrary(LIBC, SYMBOLS, ["abs"]);
    assert.equal(functions.abs(-3), 3);
    const { labs } = functions;
    assert.equal(labs(-5n), 5n);
    assert.equal(functions.labs, labs, "it is made ready again");
    assert.equal(functions.getpid(), Deno.pid);
  },
});

Deno.test({
  name: "openSystemLibrary() opens what is not among the first when it is looked up",
  ...linuxOnly,
  fn() {
    const missing = { no_such_function: { parameters: [], result: "i32" } } as const;
    assert.throws(() => openSystemLibrary(LIBC, { ...SYMBOLS, ...missing }, ["no_such_function"]));
    const functions = openSystemLibrary(LIBC, { ...SYMBOLS, ...missing }, ["abs"]);
    assert.equal(functions.abs(-3), 3);
    assert.throws(() => functions.no_such_function(), /no_such_function/);
  },
});

Deno.test("openSystemLibrary() throws where there is no such library", () => {
  assert.throws(() => openSystemLibrary("libnosuch.so.0", SYMBOLS, []).abs(1));
  assert.throws(() => openSystemLibrary("libnosuch.so.0", SYMBOLS, ["abs"]));
});
