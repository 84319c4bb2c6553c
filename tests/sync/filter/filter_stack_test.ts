import assert from "node:assert/strict";
import fc from "fast-check";
import type { RelPath } from "../../../src/base/paths.ts";
import { FilterStack, IGNORE_FILE, PathFilter } from "../../../src/sync/filter/mod.ts";

const path = (text: string) => text as RelPath;

Deno.test("FilterStack ignores nothing without rules", () => {
  const stack = FilterStack.root();
  assert.equal(stack.isEmpty, true);
  assert.equal(FilterStack.root([], "# only a comment\n\n").isEmpty, true);
  assert.equal(stack.enter(path("a"), "x").isEmpty, false);
  assert.equal(stack.isIgnored(path("a"), false), false);
});

Deno.test("FilterStack lets the command line outrank files, and deep files outrank those above", () => {
  const root = FilterStack.root(["!keep.log", "*.tmp"], "*.log\n*.o\n");
  assert.equal(root.isIgnored(path("a.log"), false), true);
  assert.equal(root.isIgnored(path("keep.log"), false), false);
  const sub = root.enter(path("sub"), "!*.o\n!*.tmp\nkeep.log\n");
  assert.equal(sub.isIgnored(path("sub/a.o"), false), false, "taken back by the deeper file");
  assert.equal(sub.isIgnored(path("sub/a.tmp"), false), true, "the command line stands");
  assert.equal(sub.isIgnored(path("sub/keep.log"), false), false, "the command line stands");
  assert.equal(root.isIgnored(path("a.o"), false), true, "the stack above is unchanged");
});

Deno.test("FilterStack anchors rules with a slash in the directory of their file", () => {
  const sub = FilterStack.root([], "/a\nb/c\n").enter(path("é"), "/a\nb/c\n");
  assert.equal(sub.isIgnored(path("é/a"), false), true);
  const deep = sub.enter(path("é/b"));
  assert.equal(deep.isIgnored(path("é/b/c"), false), true);
  assert.equal(deep.isIgnored(path("é/b/a"), false), false);
});

Deno.test("FilterStack takes rules with a trailing slash for directories only", () => {
  const root = FilterStack.root(["out/"]);
  assert.equal(root.isIgnored(path("out"), true), true);
  assert.equal(root.isIgnored(path("out"), false), false);
});

Deno.test("PathFilter ignores all under an ignored directory, whatever is re-included there", () => {
  const filter = new PathFilter(FilterStack.root([], "/d\n!/d/keep\n"), () => "!keep\n");
  assert.equal(filter.isIgnored(path("d/keep"), false), true);
  assert.equal(filter.isIgnored(path("e/keep"), false), false);
  assert.equal(filter.stackOf(path("d/e")), undefined);
});

Deno.test("PathFilter re-includes a file where only the files of its directory are excluded", () => {
  const filter = new PathFilter(FilterStack.root([], "/d/*\n!/d/keep\n"), () => undefined);
  assert.equal(filter.isIgnored(path("d/other"), false), true);
  assert.equal(filter.isIgnored(path("d/keep"), false), false);
});

const NAMES = [
  "a",
  "b",
  "ab",
  "a.o",
  "foo",
  "é",
  "x y",
  "[a]",
  "a*",
  "-",
  "!a",
  "#a",
  "a ",
  "foo.b",
];
const name = fc.constantFrom(...NAMES);
const PIECES = [
  ...NAMES,
  "*",
  "**",
  "?",
  "??",
  "/",
  "/",
  "[ab]",
  "[!a]",
  "[a-f]",
  "\\*",
  "\\",
  " ",
];
const MORE_PIECES = [...PIECES, "[[:alpha:]]", "[é]", "[", "***", "!", "#", "**/", "/**", "\t"];
const pattern = fc.tuple(
  fc.constantFrom("", "", "", "!", "/", "!/", "\\", "#"),
  fc.array(fc.constantFrom(...MORE_PIECES), { minLength: 1, maxLength: 5 }),
  fc.constantFrom("", "", "", "/", " ", "\\ ", "\r"),
).map((parts) => parts.flat().join(""));
const ignoreFile = fc.array(pattern, { maxLength: 5 }).map((lines) => lines.join("\n") + "\n");
/** Directories up to three deep, "" for the root, each with its ignore file. */
const share = fc.record({
  dirs: fc.uniqueArray(fc.array(name, { maxLength: 3 }).map((names) => names.join("/")), {
    maxLength: 5,
  }),
  files: fc.uniqueArray(fc.tuple(fc.nat(), name), { minLength: 1, maxLength: 12 }),
  rules: fc.array(fc.tuple(fc.nat(), ignoreFile), { minLength: 1, maxLength: 3 }),
  commandLine: fc.array(pattern.filter((line) => !/^#|\s$/.test(line) && line !== ""), {
    maxLength: 2,
  }),
});

const hasGit = await new Deno.Command("git", {
  args: ["--version"],
  stdout: "null",
  stderr: "null",
})
  .output().then((output) => output.success, () => false);
if (!hasGit) console.warn("git is not installed: the comparison with it is skipped");

Deno.test({
  name: "FilterStack sees exactly the files that git sees",
  ignore: !hasGit,
  async fn() {
    await fc.assert(
      fc.asyncProperty(share, async ({ dirs, files, rules, commandLine }) => {
        const root = await Deno.makeTempDir({ prefix: "landropic-filter-" });
        try {
          await git(root, ["init", "-q", "."]);
          const folders = ["", ...dirs];
          for (const dir of dirs) await Deno.mkdir(`${root}/${dir}`, { recursive: true });
          for (const [i, [at, file]] of files.entries()) {
            const folder = folders[at % folders.length];
            await Deno.writeTextFile(`${root}/${folder}/${file}`, `${i}`).catch(isDirectory);
          }
          for (const [at, text] of rules) {
            const folder = folders[at % folders.length];
            await Deno.writeTextFile(`${root}/${folder}/${IGNORE_FILE}`, text);
          }
          const listed = await git(root, [
            "ls-files",
            "--others",
            "-z",
            `--exclude-per-directory=${IGNORE_FILE}`,
            ...commandLine.map((line) => `--exclude=${line}`),
          ]);
          const expected = listed.split("\0").filter((line) => line !== "").sort();
          assert.deepEqual(
            visible(root, FilterStack.root(commandLine, ignoreText(root))),
            expected,
          );
        } finally {
          await Deno.remove(root, { recursive: true });
        }
      }),
      { numRuns: Number(Deno.env.get("LANDROPIC_SOAK_RUNS") ?? 150) },
    );
  },
});

function visible(root: string, top: FilterStack): string[] {
  const found: string[] = [];
  const walk = (stack: FilterStack) => {
    for (const entry of Deno.readDirSync(`${root}/${stack.dir}`)) {
      const child = path(stack.dir === "" ? entry.name : `${stack.dir}/${entry.name}`);
      if (child === ".git" || stack.isIgnored(child, entry.isDirectory)) continue;
      if (entry.isDirectory) walk(stack.enter(child, ignoreText(`${root}/${child}`)));
      else found.push(child);
    }
  };
  walk(top);
  return found.sort();
}

function ignoreText(dir: string): string | undefined {
  try {
    return Deno.readTextFileSync(`${dir}/${IGNORE_FILE}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function git(cwd: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("git", {
    cwd,
    args: ["-c", "core.ignorecase=false", ...args],
    env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
  }).output();
  assert.equal(success, true, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function isDirectory(error: unknown): void {
  if (!(error instanceof Deno.errors.IsADirectory)) throw error;
}
