import assert from "node:assert/strict";
import { V8_FLAGS } from "../../scripts/packaging/v8_flags.ts";

Deno.test("`deno task start` runs the program as the executable does", async () => {
  const config = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assert.ok(config.tasks.start.split(" ").includes(V8_FLAGS), config.tasks.start);
});
