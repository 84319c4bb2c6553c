import assert from "node:assert/strict";
import { FAMILIES } from "../../../src/orchestrator/metrics/families.ts";

Deno.test("FAMILIES are named as Prometheus asks for, and docs/metrics.md lists just these", () => {
  const names = FAMILIES.map(({ name }) => name);
  for (const { name, type } of FAMILIES) {
    assert.match(name, /^(landropic|process)_[a-z]+(_[a-z]+)*$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.doesNotMatch(name, /milli|kilo|_ms\b|_kb\b/, "base units");
  }
  const docs = Deno.readTextFileSync(new URL("../../../docs/metrics.md", import.meta.url));
  const rows = [...docs.matchAll(/^\| `(\w+)` +\| (\w+) +\|/gm)];
  assert.deepEqual(rows.map(([, name]) => name), names);
  assert.deepEqual(rows.map(([, , type]) => type), FAMILIES.map(({ type }) => type));
});
