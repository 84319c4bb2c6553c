import { encode } from "uqr";
import assert from "node:assert/strict";
import { Invitation } from "../../../src/identity/pairing/invitation.ts";
import { renderQr } from "../../../src/identity/pairing/qr.ts";

const LARGEST = Invitation.create({
  fingerprint: new Uint8Array(32).fill(7),
  expiresAtMs: 60_000,
  port: 9876,
  addresses: ["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"],
  name: "n".repeat(32),
}, 0).reveal();

/** Light modules of a drawing, read back from its half blocks. */
function modulesOf(drawn: string): boolean[][] {
  return drawn.split("\n").flatMap((line) => [
    [...line].map((character) => character === "█" || character === "▀"),
    [...line].map((character) => character === "█" || character === "▄"),
  ]);
}

Deno.test("renderQr() draws every module of the code", async () => {
  const modules = modulesOf(await renderQr(LARGEST));
  const expected = encode(LARGEST, { border: 2, ecc: "L" });
  for (let y = 0; y < expected.size; y++) {
    for (let x = 0; x < expected.size; x++) {
      assert.equal(modules[y]![x], !expected.data[y]![x], `module ${x},${y}`);
    }
  }
});

Deno.test("renderQr() of the largest invitation fits a terminal of 80 columns", async () => {
  const lines = (await renderQr(LARGEST)).split("\n");
  assert.ok([...lines[0]!].length <= 60, `${[...lines[0]!].length} columns`);
  assert.ok(lines.length <= 30, `${lines.length} lines`);
});

Deno.test("renderQr() with color resets the colours at the end of every line", async () => {
  const plain = await renderQr("LDR1:AAAA");
  const colored = await renderQr("LDR1:AAAA", { color: true });
  // deno-lint-ignore no-control-regex
  assert.equal(colored.replace(/\x1b\[[0-9;]*m/g, ""), plain);
  for (const line of colored.split("\n")) assert.ok(line.endsWith("\x1b[0m"));
});
