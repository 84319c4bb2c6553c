import type { Digest } from "../../base/digest.ts";
import { joinPath, type RelPath } from "../../base/paths.ts";
import { contentDigest, type ContentEntry } from "../reconcile/mod.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import type { ShareContent } from "./share_content.ts";

/**
 * The content digest of a directory and all beneath it, reading what is not known yet; `undefined` if
 * something in it changed or can't be read.
 */
export async function digestOfDir(
  path: RelPath,
  snapshot: Snapshot,
  content: ShareContent,
): Promise<Digest | undefined> {
  const entries: ContentEntry[] = [];
  for (const entry of snapshot.list(path)) {
    const at = joinPath(path, entry.name);
    if (entry.kind === "link") {
      entries.push({ kind: "link", name: entry.name, target: entry.target });
      continue;
    }
    const digest = entry.kind === "dir"
      ? await digestOfDir(at, snapshot, content)
      : await fileDigest(at, entry, content);
    if (digest === undefined) return undefined;
    entries.push(
      entry.kind === "dir"
        ? { kind: "dir", name: entry.name, digest }
        : { kind: "file", name: entry.name, size: entry.size, digest },
    );
  }
  return contentDigest(entries);
}

async function fileDigest(
  path: RelPath,
  version: Parameters<ShareContent["digestOf"]>[1],
  content: ShareContent,
): Promise<Digest | undefined> {
  const answer = await content.digestOf(path, version);
  return typeof answer === "number" ? undefined : answer.digest;
}
