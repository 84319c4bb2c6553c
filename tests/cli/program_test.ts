import assert from "node:assert/strict";
import { COMMANDS } from "../../src/cli/commands/all.ts";
import { parseLine } from "../../src/cli/program.ts";

function parse(line: string) {
  return parseLine(line.split(" ").filter((word) => word !== ""), { width: 80, color: false });
}

function textOf(line: string): string {
  const parsed = parse(line);
  assert.equal(parsed.kind, "text", line);
  return parsed.kind === "text" ? parsed.text : "";
}

Deno.test("parseLine() finds the command, its operands and its flags in order", () => {
  const cases: [string, string, string[], string[]][] = [
    ["sync nas dir", "sync", ["nas", "dir"], []],
    ["--json sync nas -nv --exclude a", "sync", ["nas"], [
      ...["json=true", "dry-run=true", "verbose=true", "exclude=a"],
    ]],
    ["sync --exclude=a=b nas", "sync", ["nas"], ["exclude=a=b"]],
    ["sync --no-delete nas --qr", "", [], []],
    ["pair --qr", "pair", [], ["no-qr=false"]],
    ["sync -- --push", "sync", ["--push"], []],
    ["sync nas --exclude --push", "sync", ["nas"], ["exclude=--push"]],
    ["peers", "peers list", [], []],
    ["-v peers -v", "peers list", [], ["verbose=true", "verbose=true"]],
    ["peers --json rename a b", "peers rename", ["a", "b"], ["json=true"]],
    ["verify sync", "verify", ["sync"], []],
  ];
  for (const [line, name, operands, flags] of cases) {
    if (name === "") {
      assert.throws(() => parse(line), { name: "UsageError" }, line);
      continue;
    }
    const parsed = parse(line);
    assert.equal(parsed.kind, "command", line);
    if (parsed.kind !== "command") continue;
    assert.equal(parsed.spec.name, name, line);
    assert.deepEqual(parsed.operands, operands, line);
    assert.deepEqual(parsed.occurrences.map(({ name, text }) => `${name}=${text}`), flags, line);
  }
});

Deno.test("parseLine() says in one line what it does not know, and what was probably meant", () => {
  const cases: [string, string, RegExp?][] = [
    ["sync nas --detele", "unknown option --detele (did you mean --delete?)", /sync --help/],
    ["--detele", "unknown option --detele (did you mean --delete?)", /flag of `landropic sync`/],
    ["serve . --push", "unknown option --push", /--push is a flag of `landropic sync`/],
    ["--push sync nas", "unknown option --push", /put it after the command/],
    ["sync nas -Z", "unknown option -Z", /sync --help/],
    ["sync nas --zzzzzzz", "unknown option --zzzzzzz", /sync --help/],
    ["sync nas --json=1", "--json takes no value"],
    ["sync nas --address", "--address needs a value: --address HOST:PORT"],
    ["sycn nas", 'unknown command "sycn" (did you mean sync?)', /landropic --help/],
    ["frobnicate", 'unknown command "frobnicate"', /landropic --help/],
    ["peers lst", 'unknown command "peers lst" (did you mean list?)', /peers --help/],
    ["peers trust --nam x y", "unknown option --nam (did you mean --name?)"],
    ["", "no command given"],
    ["--json", "no command given"],
    ["sync --\u001b[31m", "unknown option --\\x1b[31m"],
  ];
  for (const [line, message, hint] of cases) {
    assert.throws(() => parse(line), (error: { name: string; message: string; hint?: string }) => {
      assert.equal(error.name, "UsageError", line);
      assert.equal(error.message, message, line);
      if (hint !== undefined) assert.match(error.hint ?? "", hint, line);
      return true;
    });
  }
});

Deno.test("parseLine() shows help for the program and every command, with examples", () => {
  const root = textOf("--help");
  for (const spec of COMMANDS) {
    const word = spec.name.split(" ")[0]!;
    assert.match(root, new RegExp(`^  ${word} `, "m"), spec.name);
    const help = textOf(`${spec.name} --help`);
    assert.match(help, new RegExp(`^Usage: landropic ${spec.name}( |$)`, "m"));
    assert.match(help, /^Examples:\n {2}(source <\()?landropic /m, spec.name);
    for (const flag of spec.flags) assert.match(help, new RegExp(`--${flag.name}\\b`));
    for (const operand of spec.operands) assert.ok(help.includes(operand.name), operand.name);
    for (const [line] of spec.examples) assert.ok(help.includes(line));
    assert.equal(textOf(`${spec.name} x --bogus -h`), help, "help wins over mistakes");
  }
});

Deno.test("parseLine() keeps help within the terminal's width", () => {
  for (const spec of COMMANDS) {
    const table = textOf(`${spec.name} --help`).split("\nExamples:")[0]!;
    for (const line of table.split("\n")) assert.ok(line.length <= 80, `${spec.name}: ${line}`);
  }
});

Deno.test("parseLine() accepts every line that help gives as an example", () => {
  for (const spec of COMMANDS) {
    for (const [line] of spec.examples) {
      const words = line.replace(/^source <\(|\)$/g, "").split(/ [<>] /)[0]!.replaceAll("'", "");
      const parsed = parse(words.replace(/^landropic /, ""));
      assert.ok(parsed.kind === "command" && parsed.spec === spec, line);
    }
  }
});

Deno.test("the help of `discover` reads as it should", () => {
  assert.equal(
    textOf("discover -h"),
    `Usage: landropic discover [flags]

Lists the devices that announce themselves on the local network: name, id,
address, and whether they are trusted.

Flags:
  --timeout DURATION      how long to listen (default 3s)
  --no-discovery          neither search nor announce on the local network

Flags of every command:
  --json                  write JSON lines, one event a line, instead of text
  -q, --quiet             say only what went wrong and what was asked for
  -v, --verbose           say more; -vv is for finding faults
  --no-color              no colours, also on a terminal
  --log-format text|json  how diagnostics on stderr look (default text)
  -y, --yes               answer yes to every question
  -h, --help              show help

Examples:
  landropic discover --timeout 10s
      listens longer
  landropic discover --discovery
      searches also where the settings forbid it
`,
  );
});

Deno.test("parseLine() prints the version of deno.json, and what it runs on", async () => {
  const { version } = JSON.parse(await Deno.readTextFile("deno.json"));
  const [first, second, ...rest] = textOf("--version").split("\n");
  assert.equal(first, `landropic ${version}`);
  assert.match(second!, /^from sources, \w+-(x64|arm64), Deno [\d.]+, quiche [\d.]+$/);
  assert.deepEqual(rest, [""]);
  assert.equal(textOf("-V"), textOf("--version"));
});

Deno.test("parseLine() colours titles only where it may", () => {
  const bold = parseLine(["--help"], { width: 80, color: true });
  assert.ok(bold.kind === "text" && bold.text.includes("\x1b[1mUsage:\x1b[0m"));
  assert.ok(!textOf("--help").includes("\x1b"));
});
