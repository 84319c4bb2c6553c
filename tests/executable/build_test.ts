/** How executables are built. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { EXECUTABLE, exeTest, missing } from "./sandbox.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

exeTest("the same commit gives the same bytes, wherever it is built", async () => {
  const folder = await Deno.makeTempDir({ prefix: "landropic-builds-" });
  try {
    const head = await output("git", ["rev-parse", "HEAD"], ROOT);
    const { 1: facts } = (await output(EXECUTABLE, ["--version"], ROOT)).split("\n");
    // What is under test is one of the two builds where it is of this commit.
    const isOfHead = facts!.startsWith(`commit ${head.slice(0, 12)},`);
    const first = isOfHead ? EXECUTABLE : await buildClone(`${folder}/a`);
    const second = await buildClone(`${folder}/deeper/in/b`);
    assert.equal(await sha256(second), await sha256(first));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}, { missing: await missing("a git checkout", ["git", "-C", ROOT, "rev-parse", "HEAD"]) });

exeTest("the executable stays below 45 MB", async () => {
  const { size } = await Deno.stat(EXECUTABLE);
  assert.ok(size < 45e6, `${size} bytes`);
});

/** Clones this checkout, builds the executable there and returns its path. */
async function buildClone(folder: string): Promise<string> {
  await output("git", ["clone", "--quiet", ROOT, folder], ROOT);
  await output(Deno.execPath(), ["task", "--quiet", "compile"], folder);
  return `${folder}/dist/landropic`;
}

async function output(command: string, args: string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout).trim();
}

async function sha256(path: string): Promise<string> {
  return createHash("sha256").update(await Deno.readFile(path)).digest("hex");
}
