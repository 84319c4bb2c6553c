import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Change,
  CommitBatch,
  type CommitStep,
  openRoot,
  type Root,
  type RootImplementation,
} from "../../src/store/mod.ts";
import { at, IMPLEMENTATIONS, staged } from "./support.ts";

const NAMES = ["a", "b", "d/c"] as const;
const KINDS = ["file", "dir", "link", "nothing"] as const;

/** What somebody else does to a path while a batch is being committed. */
const ACTS = ["replace", "delete", "create", "nothing"] as const;

interface Scenario {
  readonly before: (typeof KINDS)[number][];
  readonly wanted: (typeof KINDS)[number][];
  readonly acts: (typeof ACTS)[number][];
  readonly steps: CommitStep[];
  readonly stale: boolean[];
}

function scenarioOf(steps: CommitStep[]): fc.Arbitrary<Scenario> {
  const three = <T>(values: readonly T[]) =>
    fc.array(fc.constantFrom(...values), { minLength: 3, maxLength: 3 });
  return fc.record({
    before: three(KINDS),
    wanted: three(KINDS),
    acts: three(ACTS),
    steps: three(steps),
    stale: three([true, false, false]),
  });
}

function put(path: string, kind: string, text: string): void {
  if (kind === "file") Deno.writeTextFileSync(path, text);
  if (kind === "dir") Deno.mkdirSync(path);
  if (kind === "link") Deno.symlinkSync(text, path);
}

function changeFor(root: Root, name: string, wanted: string): Change | undefined {
  const path = at(name);
  const expected = root.lstat(path) ?? "absent";
  if (wanted === "file") {
    return { kind: "file", path, staged: staged(root, `ours ${name}`), expected };
  }
  if (wanted === "dir") return { kind: "dir", path, mode: 0o755, expected };
  if (wanted === "link") {
    return { kind: "link", path, target: `ours ${name}`, mtimeMs: 0, expected };
  }
  return expected === "absent" ? undefined : { kind: "remove", path, expected };
}

/** Does it as careful programs do: a new file takes the old one's place. */
function act(path: string, name: string, how: string, gone: Set<string>, mine: Set<string>): void {
  const now = textAt(`${path}/${name}`);
  if (how === "nothing" || now === "dir") return;
  if (how === "create" ? now !== undefined : now === undefined) return;
  if (now !== undefined) gone.add(now);
  if (how === "delete") return Deno.removeSync(`${path}/${name}`);
  const text = `theirs ${name}`;
  mine.add(text);
  Deno.writeTextFileSync(`${path}/.other`, text);
  Deno.renameSync(`${path}/.other`, `${path}/${name}`);
}

function textAt(path: string): string | undefined {
  try {
    const info = Deno.lstatSync(path);
    if (info.isSymlink) return Deno.readLinkSync(path);
    return info.isDirectory ? "dir" : Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Every text below a folder, of files and of links. */
function texts(path: string): Set<string> {
  const found = new Set<string>();
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    if (isDirectory) { for (const text of texts(`${path}/${name}`)) found.add(text); }
    else found.add(textAt(`${path}/${name}`)!);
  }
  return found;
}

async function play(implementation: RootImplementation, scenario: Scenario): Promise<void> {
  const path = Deno.makeTempDirSync();
  try {
    using root = openRoot(path, { implementation });
    Deno.mkdirSync(`${path}/d`);
    const valuable = new Set<string>();
    for (const [i, name] of NAMES.entries()) {
      put(`${path}/${name}`, scenario.before[i]!, `old ${name}`);
      const text = textAt(`${path}/${name}`);
      if (text !== undefined && text !== "dir") valuable.add(text);
    }
    const gone = new Set<string>();
    const acted = new Set<string>();
    const interfere = (i: number) => {
      if (acted.has(NAMES[i]!)) return;
      acted.add(NAMES[i]!);
      act(path, NAMES[i]!, scenario.acts[i]!, gone, valuable);
    };
    using batch = new CommitBatch(root, {
      fsync: false,
      onStep: (step, of) => {
        const i = NAMES.findIndex((name) => name === of);
        if (i >= 0 && step === scenario.steps[i]) interfere(i);
      },
    });
    for (const [i, name] of NAMES.entries()) {
      const change = changeFor(root, name, scenario.wanted[i]!);
      if (change !== undefined) batch.add(change);
    }
    for (const i of NAMES.keys()) if (scenario.stale[i]) interfere(i);
    const results = await batch.commit();
    for (const { outcome, change } of results) {
      if (outcome === "done" && change.kind === "file") valuable.add(`ours ${change.path}`);
    }
    const left = texts(path);
    for (const text of valuable) {
      assert.ok(left.has(text) || gone.has(text), `"${text}" is lost`);
    }
    const tmp = root.lstat(at(".landropic/tmp")) ? root.list(at(".landropic/tmp")).entries : [];
    assert.deepEqual(tmp.map(({ name }) => name).filter((name) => !name!.endsWith(".owner")), []);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

for (const implementation of IMPLEMENTATIONS) {
  // Without a swap there is a moment, after the old file is safe, that nobody can watch.
  const steps: CommitStep[] = implementation !== "linux"
    ? ["checked", "renamed"]
    : ["checked", "old_moved", "renamed"];
  Deno.test({
    name: `commit() loses nobody's file, whatever happens meanwhile [${implementation}]`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      await fc.assert(
        fc.asyncProperty(scenarioOf(steps), (scenario) => play(implementation, scenario)),
        { numRuns: 150 },
      );
    },
  });
}
