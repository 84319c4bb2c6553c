/** Random work on a folder, with the events that a system gives for it. */
import * as fs from "node:fs";
import fc from "fast-check";
import { systemClock } from "../../src/base/clock.ts";
import type { DeviceId } from "../../src/base/ids.ts";
import { compareNames } from "../../src/base/paths.ts";
import { vectorMember } from "../../src/base/version_vector.ts";
import { FilterStack } from "../../src/sync/filter/mod.ts";
import { scan } from "../../src/sync/scan/scanner.ts";
import type { Snapshot } from "../../src/sync/scan/snapshot.ts";
import { openRoot } from "../../src/store/mod.ts";

/** One thing that somebody does; what can't be done where it is done is left. */
export interface Change {
  readonly kind: "write" | "mkdir" | "remove" | "move" | "link" | "chmod" | "rules";
  readonly path: readonly string[];
  readonly to: readonly string[];
  readonly seed: number;
}

const NAMES = ["a", "b", "c", "x.tmp", "ign"];
const RULES = ["*.tmp\n", "ign/\n", "b\n", ""];
const IGNORE_FILE = ".landropicignore";

// Mostly names that are there.
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b") },
  { weight: 1, arbitrary: fc.constantFrom(...NAMES) },
);
const pathOf = fc.array(name, { minLength: 1, maxLength: 4 });

/** Any {@linkcode Change}. */
export const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.oneof(
    { weight: 5, arbitrary: fc.constant("write" as const) },
    { weight: 2, arbitrary: fc.constant("mkdir" as const) },
    { weight: 5, arbitrary: fc.constantFrom("remove" as const, "move" as const, "move" as const) },
    { weight: 1, arbitrary: fc.constantFrom("link" as const, "chmod" as const) },
    { weight: 1, arbitrary: fc.constant("rules" as const) },
  ),
  path: pathOf,
  to: pathOf,
  seed: fc.nat(1000),
});

/** A folder in which things happen. */
export class ChangingFolder {
  readonly path: string;
  /** Hears of each path that something happens to, and whether it may be another thing now. */
  onEvent: (path: string, isDeep: boolean) => void = () => {};
  /** A directory has left its place, with all beneath. */
  onLeave: (path: string) => void = () => {};
  #timeMs = 1_600_000_000_000;

  constructor(path: string) {
    this.path = path;
    fs.mkdirSync(path, { recursive: true });
    for (const dir of ["a/a/a", "a/b/a", "b/a/b", "b/b"]) {
      fs.mkdirSync(`${path}/${dir}`, { recursive: true });
      this.#write(`${dir}/c`, dir);
    }
  }

  do({ kind, path: names, to: toNames, seed }: Change): void {
    const path = names.join("/");
    const to = toNames.join("/");
    switch (kind) {
      case "write":
        if (this.#isFree(path, "file")) this.#write(path, "x".repeat(seed));
        return;
      case "rules": {
        const dir = this.#isDir(path) ? `${path}/` : "";
        return this.#write(dir + IGNORE_FILE, RULES[seed % RULES.length]!);
      }
      case "mkdir":
        if (!this.#isFree(path)) return;
        fs.mkdirSync(this.#at(path));
        return this.onEvent(path, true);
      case "link":
        if (!this.#isFree(path)) return;
        fs.symlinkSync(seed % 2 === 0 ? "a" : "/etc/passwd", this.#at(path));
        return this.onEvent(path, true);
      case "chmod":
        if (this.#kindOf(path) === undefined || this.#kindOf(path) === "link") return;
        fs.chmodSync(this.#at(path), seed % 2 === 0 ? 0o755 : 0o700);
        return this.onEvent(path, false);
      case "remove":
        return this.#remove(path);
      case "move":
        if (this.#kindOf(path) === undefined || to.startsWith(`${path}/`)) return;
        if (!this.#isFree(to)) return;
        fs.renameSync(this.#at(path), this.#at(to));
        this.onEvent(path, true);
        this.onLeave(path);
        return this.onEvent(to, true);
    }
  }

  #write(path: string, text: string): void {
    const isNew = this.#kindOf(path) === undefined;
    fs.writeFileSync(this.#at(path), text);
    // No two have the same time, and none is of now: contents are never in doubt.
    const time = (this.#timeMs += 1000) / 1000;
    fs.utimesSync(this.#at(path), time, time);
    this.onEvent(path, isNew);
  }

  #remove(path: string): void {
    const kind = this.#kindOf(path);
    if (kind === undefined) return;
    if (kind === "dir") {
      for (const name of fs.readdirSync(this.#at(path))) this.#remove(`${path}/${name}`);
      fs.rmdirSync(this.#at(path));
      this.onEvent(path, true);
      return this.onLeave(path);
    }
    fs.unlinkSync(this.#at(path));
    this.onEvent(path, true);
  }

  /** True where it can be made: its directory is there, and nothing, or such a thing, in its place. */
  #isFree(path: string, or?: "file"): boolean {
    const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
    const kind = this.#kindOf(path);
    return (parent === "" || this.#isDir(parent)) && (kind === undefined || kind === or);
  }

  #isDir(path: string): boolean {
    return this.#kindOf(path) === "dir";
  }

  #kindOf(path: string): "dir" | "file" | "link" | undefined {
    // Not through links: what lies behind one is elsewhere.
    for (let end = path.indexOf("/"); end > 0; end = path.indexOf("/", end + 1)) {
      const above = fs.lstatSync(this.#at(path.slice(0, end)), { throwIfNoEntry: false });
      if (!above?.isDirectory()) return undefined;
    }
    const stat = fs.lstatSync(this.#at(path), { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    return stat.isDirectory() ? "dir" : stat.isSymbolicLink() ? "link" : "file";
  }

  #at(path: string): string {
    return `${this.path}/${path}`;
  }
}

/** Reads a folder as if for the first time. */
export async function scanAnew(path: string): Promise<Snapshot> {
  using root = openRoot(path);
  return await scan({
    root,
    memory: {
      foldDir: () => undefined,
      viewDir: () => undefined,
      dirsByInode: () => new Map(),
      reviseDir() {},
      nextEditCounter: () => 1,
      noteEarlier() {},
      buryDir() {},
    },
    member: vectorMember("A".repeat(56) as DeviceId, "0".repeat(32)),
    filter: (text) => FilterStack.root([], text),
    checksum: false,
    digestOf: () => Promise.resolve(undefined),
    clock: systemClock,
    signal: new AbortController().signal,
  });
}

/** Everything that a snapshot says, to be compared. */
export function describeSnapshot(snapshot: Snapshot): unknown {
  const { files, bytes } = snapshot;
  const dirs = [...snapshot.dirs.values()].sort((a, b) => compareNames(a.path, b.path));
  const problems = snapshot.problems.map(({ dir, path, code }) => `${dir}: ${path} ${code}`);
  return {
    files,
    bytes,
    dirs: dirs.map(({ page, opaque, ...rest }) => ({
      ...rest,
      entries: snapshot.list(rest.path),
      opaque: opaque.toSorted(),
      pageBytes: page.unpack().length,
    })),
    problems: problems.sort(),
  };
}
