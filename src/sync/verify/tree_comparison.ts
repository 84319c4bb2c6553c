import { equalBytes } from "../../base/bytes.ts";
import { type Digest, type DigestKey, digestKey } from "../../base/digest.ts";
import { compareNames, type DirPath, joinPath, type RelPath } from "../../base/paths.ts";
import type { Entry } from "../../base/tree.ts";
import { ProtocolError } from "../../protocol/mod.ts";
import { contentDigest, type ContentEntry } from "../reconcile/mod.ts";

/** How the two sides differ at a path; beneath a directory that only one has, nothing more is told. */
export type Difference =
  /** Both have it, with other contents or of another kind. */
  | "differs"
  | "only_local"
  | "only_remote"
  /** One side has it; the other has something there that it leaves out: ignored, unreadable, special. */
  | "left_out";

/** One directory of one side. */
export interface ComparedDir {
  readonly entries: readonly Entry[];
  /** Names that are there and not among the entries. */
  readonly opaque: readonly string[];
}

/** A directory of the remote side that the comparison has to look into. */
export interface WantedDir {
  readonly path: DirPath;
  readonly shape: Digest;
}

/** What {@linkcode TreeComparison} found. */
export interface ComparisonResult {
  /** Digests of everything on either side, times and modes left out. Equal for equal contents. */
  readonly localRoot: Digest;
  readonly remoteRoot: Digest;
  /** In byte order of paths, parents before children. */
  readonly differences: readonly { readonly path: RelPath; readonly difference: Difference }[];
}

/**
 * Compares two trees by their contents. The pages of both must carry file digests (checksum mode): then
 * directories of equal shape are equal, and only the others are asked for, a level of the tree at a time.
 */
export class TreeComparison {
  readonly #local: (path: DirPath) => ComparedDir;
  readonly #remote = new Map<DirPath, ComparedDir>();
  readonly #remoteOnly = new Set<DirPath>();
  /** Content digests by shape: a page with digests says it all, on whichever side. */
  readonly #digests = new Map<DigestKey, Digest>();
  readonly #rootShapes: { readonly local: Digest; readonly remote: Digest };
  #wanted: WantedDir[] = [];

  /** @param local Gives any directory of the local tree. */
  constructor(
    local: (path: DirPath) => ComparedDir,
    rootShapes: { readonly local: Digest; readonly remote: Digest },
  ) {
    this.#local = local;
    this.#rootShapes = rootShapes;
    if (!equalBytes(rootShapes.local, rootShapes.remote)) {
      this.#wanted.push({ path: "", shape: rootShapes.remote });
    }
  }

  /** The next directories of the remote side to fetch; none once everything is there. */
  pollWanted(): readonly WantedDir[] {
    const wanted = this.#wanted;
    this.#wanted = [];
    return wanted;
  }

  /** Takes in one that was asked for. */
  handleDir(path: DirPath, remote: ComparedDir): void {
    this.#remote.set(path, remote);
    const shapes = this.#localShapes(path);
    for (const entry of remote.entries) {
      if (entry.kind !== "dir") continue;
      const at = joinPath(path, entry.name);
      const shape = shapes.get(entry.name);
      if (shape && equalBytes(shape, entry.shape)) continue;
      // What only the peer has counts in its root, too.
      if (shape === undefined) this.#remoteOnly.add(at);
      this.#wanted.push({ path: at, shape: entry.shape });
    }
  }

  /** To be called when nothing more is wanted. */
  finish(): ComparisonResult {
    const { local, remote } = this.#rootShapes;
    const localRoot = this.#localDigest("", local);
    const remoteRoot = equalBytes(local, remote) ? localRoot : this.#remoteDigest("", remote);
    const differences: { path: RelPath; difference: Difference }[] = [];
    if (!equalBytes(local, remote)) this.#compare("", differences);
    return { localRoot, remoteRoot, differences };
  }

  #localShapes(path: DirPath): Map<string, Digest> {
    if (this.#remoteOnly.has(path)) return new Map();
    const { entries } = this.#local(path);
    return new Map(entries.flatMap((e) => e.kind === "dir" ? [[e.name, e.shape] as const] : []));
  }

  #localDigest(path: DirPath, shape: Digest): Digest {
    return this.#digestOf(path, shape, (at) => this.#local(at));
  }

  /** A directory that was not fetched is equal to the local one, and known by its shape. */
  #remoteDigest(path: DirPath, shape: Digest): Digest {
    return this.#digestOf(path, shape, (at) => this.#remote.get(at) ?? this.#local(at));
  }

  #digestOf(path: DirPath, shape: Digest, dirOf: (path: DirPath) => ComparedDir): Digest {
    const key = digestKey(shape);
    const known = this.#digests.get(key);
    if (known !== undefined) return known;
    const entries = dirOf(path).entries.map((entry): ContentEntry => {
      const { name } = entry;
      if (entry.kind === "link") return { kind: "link", name, target: entry.target };
      if (entry.kind === "file") {
        return { kind: "file", name, size: entry.size, digest: fileDigest(entry) };
      }
      const digest = this.#digestOf(joinPath(path, name), entry.shape, dirOf);
      return { kind: "dir", name, digest };
    });
    const digest = contentDigest(entries);
    this.#digests.set(key, digest);
    return digest;
  }

  #compare(path: DirPath, into: { path: RelPath; difference: Difference }[]): void {
    const local = this.#local(path);
    const remote = this.#remote.get(path)!;
    const here = new Map(local.entries.map((entry) => [entry.name, entry]));
    const there = new Map(remote.entries.map((entry) => [entry.name, entry]));
    const names = [...new Set([...here.keys(), ...there.keys()])].sort(compareNames);
    for (const name of names) {
      const [a, b] = [here.get(name), there.get(name)];
      const at = joinPath(path, name);
      if (a === undefined) {
        const isLeftOut = local.opaque.includes(name);
        into.push({ path: at, difference: isLeftOut ? "left_out" : "only_remote" });
      } else if (b === undefined) {
        const isLeftOut = remote.opaque.includes(name);
        into.push({ path: at, difference: isLeftOut ? "left_out" : "only_local" });
      } else if (a.kind === "dir" && b.kind === "dir") {
        const isSame = equalBytes(a.shape, b.shape) ||
          equalBytes(this.#localDigest(at, a.shape), this.#remoteDigest(at, b.shape));
        if (!isSame) this.#compare(at, into);
      } else if (!isSameLeaf(a, b)) into.push({ path: at, difference: "differs" });
    }
  }
}

function isSameLeaf(a: Entry, b: Entry): boolean {
  if (a.kind === "link" && b.kind === "link") return a.target === b.target;
  if (a.kind !== "file" || b.kind !== "file" || a.size !== b.size) return false;
  return equalBytes(fileDigest(a), fileDigest(b));
}

/** In checksum mode a file without a digest is opaque, and in no page. */
function fileDigest(entry: Entry & { kind: "file" }): Digest {
  if (entry.digest === undefined) throw new ProtocolError("Directory page without file digests");
  return entry.digest;
}
