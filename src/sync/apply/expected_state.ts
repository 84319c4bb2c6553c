import type { RelPath } from "../../base/paths.ts";
import type { Expected, ExpectedState, Root } from "../../store/mod.ts";
import type { ShareContent } from "../content/share_content.ts";
import type { Before } from "./operation.ts";

/** What must be at a path: the planner's view of it, sharpened by what the index knows. */
export function expectedAt(
  path: RelPath,
  before: Before,
  { root, content }: { readonly root: Root; readonly content: ShareContent },
): Expected {
  switch (before.kind) {
    case "absent":
      return "absent";
    case "dir":
      return { kind: "dir" };
    case "link":
      return isLinkTo(root, path, before.target) ? { kind: "link" } : NEVER;
    case "file": {
      const record = content.recordOf(path, before);
      const { size, mtimeMs } = before;
      return record
        ? { kind: "file", size, mtimeMs, mtimeNs: record.mtimeNs, ino: record.ino }
        : { kind: "file", size, mtimeMs };
    }
  }
}

function isLinkTo(root: Root, path: RelPath, target: string): boolean {
  try {
    return root.readLink(path) === target;
  } catch {
    return false;
  }
}

/** Matches nothing: what was seen is no longer there. */
const NEVER: ExpectedState = { kind: "file", size: -1 };
