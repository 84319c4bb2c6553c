import assert from "node:assert/strict";
import { openRoot, sweepTemporary } from "../../src/store/mod.ts";
import { at, IMPLEMENTATIONS, tree } from "./support.ts";

const VICTIM = new URL("./crash_victim.ts", import.meta.url).pathname;

function prepare(path: string): void {
  for (const name of ["replaced", "removed", "was-file"]) {
    Deno.writeTextFileSync(`${path}/${name}`, `old ${name}`);
  }
  Deno.mkdirSync(`${path}/was-dir`);
}

async function victim(path: string, implementation: string, killAt: number): Promise<number> {
  const { stdout, stderr, signal } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", VICTIM, path, implementation, String(killAt)],
  }).output();
  if (signal === "SIGKILL") return -1;
  const steps = Number(new TextDecoder().decode(stdout));
  assert.ok(steps > 0, new TextDecoder().decode(stderr));
  return steps;
}

/** The text at a path, through whatever a link leads to; undefined where nothing is. */
function textAt(path: string): string | undefined {
  try {
    const info = Deno.lstatSync(path);
    if (info.isSymlink) return `link ${Deno.readLinkSync(path)}`;
    return info.isDirectory ? "dir" : Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Every text in the trash. */
function trashedTexts(path: string): string[] {
  const trash = `${path}/.landropic/trash`;
  try {
    return tree(trash).map((name) => textAt(`${trash}/${name}`)!);
  } catch {
    return [];
  }
}

/** What must hold whenever the process ends: each path is old or new, and no old content is lost. */
function assertNothingLost(path: string, mayBeAbsent: boolean): void {
  const kept = trashedTexts(path);
  const allowed: Record<string, (string | undefined)[]> = {
    made: [undefined, "dir"],
    "made/created": [undefined, "new made/created"],
    replaced: ["old replaced", "new replaced"],
    removed: ["old removed", undefined],
    "was-dir": ["dir", "new was-dir"],
    "was-file": ["old was-file", "link x"],
  };
  for (const [name, texts] of Object.entries(allowed)) {
    const found = textAt(`${path}/${name}`);
    if (found === undefined && mayBeAbsent && name.startsWith("was-")) continue;
    assert.ok(texts.includes(found), `${name} is ${found}`);
  }
  for (const name of ["replaced", "removed", "was-file"]) {
    const old = `old ${name}`;
    assert.ok(textAt(`${path}/${name}`) === old || kept.includes(old), `${old} is lost`);
  }
}

for (const implementation of IMPLEMENTATIONS.filter((each) => each !== "linux-plain")) {
  Deno.test({
    name: `a process killed at any step of a commit loses nothing [${implementation}]`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      const whole = Deno.makeTempDirSync();
      prepare(whole);
      const steps = await victim(whole, implementation, -1);
      assertNothingLost(whole, false);
      Deno.removeSync(whole, { recursive: true });
      // One "staged" for each file, "flushed", for each change its steps, "dirs_flushed".
      assert.equal(steps, 3 + 1 + (2 + 2 + 3 + 3 + 3 + 3) + 1);

      for (let killAt = 0; killAt < steps; killAt++) {
        const path = Deno.makeTempDirSync();
        prepare(path);
        assert.equal(await victim(path, implementation, killAt), -1);
        assertNothingLost(path, implementation !== "linux");
        using root = openRoot(path, { implementation });
        sweepTemporary(root, Date.now());
        const left = root.lstat(at(".landropic/tmp")) === undefined
          ? []
          : root.list(at(".landropic/tmp")).entries;
        assert.deepEqual(left.map(({ name }) => name), [], `killed at ${killAt}`);
        Deno.removeSync(path, { recursive: true });
      }
    },
  });
}
