import assert from "node:assert/strict";
import { COMMANDS } from "../../../src/cli/commands/all.ts";
import { bashCompletions } from "../../../src/cli/completions/bash.ts";
import { fishCompletions } from "../../../src/cli/completions/fish.ts";
import { zshCompletions } from "../../../src/cli/completions/zsh.ts";
import { FakeHost } from "../support.ts";
import { HANDLERS } from "../../../src/cli/handler_table.ts";
import { runCli } from "../../../src/cli/run_cli.ts";

const SCRIPTS = { bash: bashCompletions(), zsh: zshCompletions(), fish: fishCompletions() };

Deno.test("every completion script knows every command and every flag", () => {
  for (const script of Object.values(SCRIPTS)) {
    for (const spec of COMMANDS) {
      for (const word of spec.name.split(" ")) assert.ok(script.includes(word), word);
      for (const { name } of spec.flags) assert.match(script, new RegExp(`(--|-l )${name}\\b`));
    }
  }
});

Deno.test("`completions` prints the script, whatever the environment says about JSON", async () => {
  for (const [shell, script] of Object.entries(SCRIPTS)) {
    const host = new FakeHost();
    host.environment = { LANDROPIC_JSON: "1" };
    assert.equal(await runCli(["completions", shell], HANDLERS, host), 0);
    assert.equal(host.stdout.text, script);
  }
});

async function run(command: string, args: string[], input: string) {
  const child = new Deno.Command(command, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function isInstalled(command: string): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return folders.some((folder) => {
    try {
      return Deno.statSync(`${folder}/${command}`).isFile;
    } catch {
      return false;
    }
  });
}

for (const shell of ["bash", "zsh", "fish"] as const) {
  Deno.test({
    name: `${shell} accepts its completion script`,
    ignore: !isInstalled(shell),
    fn: async () => {
      const { code, stderr } = await run(shell, ["-n"], SCRIPTS[shell]);
      assert.deepEqual([code, stderr], [0, ""]);
    },
  });
}

Deno.test({
  name: "bash completes commands, flags, choices and folders",
  ignore: !isInstalled("bash"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    await Deno.mkdir(`${folder}/one two`);
    await Deno.writeTextFile(`${folder}/one.txt`, "");
    const cases: [string[], string[]][] = [
      [["sy"], ["sync"]],
      [["peers", ""], ["list", "trust", "remove", "rename"]],
      [["peers", "trust", "--a"], ["--address"]],
      [["sync", "--pu"], ["--push", "--pull"]],
      [["sync", "--conflict", ""], ["keep-both", "newer", "local", "remote"]],
      [["sync", "--conflict", "=", "n"], ["newer"]],
      [["sync", "--conflict", "="], ["keep-both", "newer", "local", "remote"]],
      [["--log-format", "json", "serve", `${folder}/o`], [`${folder}/one two`]],
      [["sync", "nas", ":", "photos", `${folder}/o`], [`${folder}/one two`]],
      [["sync", "--address", "[::", "1]", ":", "9", "nas", `${folder}/o`], []],
      [["sync", "--address", "a", ":", "9", "nas", `${folder}/o`], [`${folder}/one two`]],
      [["sync", "--exclude-from", `${folder}/one.`], [`${folder}/one.txt`]],
      [["completions", "f"], ["fish"]],
      [["sync", "--name-no-one-has", ""], []],
      [["sync", "nas", "dir", ""], []],
    ];
    const quoted = (word: string) => `'${word}'`;
    const calls = cases.map(([words]) =>
      `COMP_WORDS=(landropic ${words.map(quoted).join(" ")}); ` +
      "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); _landropic 2>/dev/null; " +
      `IFS='|'; echo "\${COMPREPLY[*]}"; unset IFS`
    );
    const { stdout } = await run("bash", ["--norc", "-s"], SCRIPTS.bash + calls.join("\n"));
    const replies = stdout.split("\n").slice(0, -1).map((line) =>
      line === "" ? [] : line.split("|")
    );
    assert.deepEqual(replies, cases.map(([, expected]) => expected));
    await Deno.remove(folder, { recursive: true });
  },
});
