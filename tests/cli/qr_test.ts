import assert from "node:assert/strict";
import { encode } from "uqr";
import { renderQr } from "../../src/cli/qr.ts";

Deno.test("renderQr() draws every module of the code, two to a character", async () => {
  const text = "LDR1:" + "ABCDEFGH".repeat(14);
  const lines = (await renderQr(text, false)).split("\n").slice(0, -1);
  const { data, size } = encode(text, { ecc: "L", border: 2 });
  assert.equal(lines.length, Math.ceil(size / 2));
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const light = (y % 2 === 0 ? "█▀" : "█▄").includes([...lines[y >> 1]!][x]!);
      assert.equal(light, !data[y]![x], `${x},${y}`);
    }
  }
});

Deno.test("renderQr() sets both colours where it may", async () => {
  const lines = (await renderQr("x", true)).split("\n").slice(0, -1);
  for (const line of lines) {
    assert.ok(line.startsWith("\x1b[97;40m") && line.endsWith("\x1b[0m"));
    assert.match(line.slice("\x1b[97;40m".length, -"\x1b[0m".length), /^[█▀▄ ]+$/);
  }
});
