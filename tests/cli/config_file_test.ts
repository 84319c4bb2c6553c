import assert from "node:assert/strict";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/commands/all.ts";
import { syncSpec } from "../../src/cli/commands/sync.ts";
import { CONFIG_BYTES_MAX, parseSettings, readSettings } from "../../src/cli/config_file.ts";

function parse(text: string) {
  return Object.fromEntries(
    [...parseSettings(text, "c.json", syncSpec, COMMANDS)].map(([key, { texts }]) => [key, texts]),
  );
}

Deno.test("parseSettings() takes settings for all commands, and those of this command over them", () => {
  const text = JSON.stringify({
    bwlimit: "5M",
    sync: { bwlimit: "1M", exclude: ["a", "b"], retry: 3, watch: false },
    serve: { listen: "[::]:1" },
    listen: "[::]:2",
    verbose: 1,
  });
  assert.deepEqual(parse(text), {
    bwlimit: ["1M"],
    exclude: ["a", "b"],
    retry: ["3"],
    watch: ["false"],
    listen: ["[::]:2"],
    verbose: ["1"],
  });
  assert.deepEqual(parse("\ufeff{}"), {});
});

Deno.test("parseSettings() refuses what no command would use", () => {
  const cases: [string, RegExp][] = [
    ["", /not valid JSON/],
    ["{", /c\.json is not valid JSON/],
    ["[]", /does not hold one JSON object/],
    ["null", /does not hold one JSON object/],
    ['{"bwlimt": "1M"}', /unknown setting "bwlimt" in c\.json \(did you mean "bwlimit"\?\)/],
    ['{"max_delete": 5}', /did you mean "max-delete"\?/],
    ['{"sync": {"listen": "x"}}', /unknown setting "listen" in "sync" in c\.json/],
    ['{"serve": {"pull": true}}', /unknown setting "pull" in "serve"/],
    ['{"sync": 5}', /"sync" in c\.json is not an object/],
    ['{"retry": null}', /"retry" in c\.json is not a text/],
    ['{"retry": {}}', /"retry" in c\.json is not a text/],
    ['{"sync": {"exclude": [["a"]]}}', /"sync\.exclude" in c\.json is not a text/],
    ['{"exclude": []}', /empty list/],
    ['{"__proto__": {"retry": 1}}', /unknown setting "__proto__"/],
    ['{"constructor": 1}', /unknown setting "constructor"/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parse(text), { name: "UsageError", message }, text);
  }
});

Deno.test("readSettings() takes a missing file for no settings, and reports one it cannot read", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const read = () => readSettings(folder, syncSpec, COMMANDS);
    assert.equal(read().size, 0);
    assert.equal(readSettings(join(folder, "missing"), syncSpec, COMMANDS).size, 0);
    const path = join(folder, "config.json");
    await Deno.writeTextFile(path, '{"retry": 2}');
    assert.deepEqual(read().get("retry")?.texts, ["2"]);
    await Deno.writeTextFile(path, " ".repeat(CONFIG_BYTES_MAX) + "{}");
    assert.throws(read, /is larger than/);
    await Deno.remove(path);
    await Deno.mkdir(path);
    assert.throws(read, { code: "storage", message: /Cannot read/ });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
