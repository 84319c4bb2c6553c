import { utf8 } from "../../base/bytes.ts";
import { linkFault, PATH_BYTES_MAX, PATH_DEPTH_MAX, type RelPath } from "../../base/paths.ts";
import { foldsNames, nameKey, windowsNameFault } from "./name_rules.ts";
import type { DirContents, Item } from "./node.ts";
import type { Side } from "./side.ts";
import type { SideTraits } from "./tree_view.ts";

/** Something that a side can't have. The path stays as it is on both sides. */
export interface Problem {
  readonly path: RelPath;
  /** The side that can't have it. */
  readonly side: Side;
  readonly code:
    | "case_collision"
    | "unicode_collision"
    | "windows_name"
    | "path_too_long"
    | "bad_link"
    | "links_unsupported";
  /** One line for people. */
  readonly message: string;
}

type Listed = Pick<DirContents, "views" | "items">;

/**
 * Finds entries that a directory can't take on a side, and takes their puts back: names that are one name
 * there with one that it has or gets, names that Windows refuses, paths that get too long.
 */
export function refuseNames(dir: Listed, side: Side, traits: SideTraits): Problem[] {
  const problems: Problem[] = [];
  const isFolding = foldsNames(traits);
  const taken = isFolding ? takenNames(dir, side, traits) : undefined;
  for (const item of dir.items) {
    if (item.verdict.type !== "put" || item.verdict.to !== side) continue;
    const name = item.name(side);
    const path = item.path(side);
    const problem = lengthProblem(path, side) ??
      (traits.windowsNames ? windowsProblem(path, name, side) : undefined) ??
      (taken ? collision(item, side, { taken, traits }) : undefined);
    if (problem === undefined) {
      taken?.set(nameKey(name, traits), name);
      continue;
    }
    problems.push(problem);
    item.verdict = { type: "skip", reason: undefined };
  }
  return problems;
}

/** Says why a link must not be made at a path, or `undefined`. */
export function linkProblem(
  path: RelPath,
  target: string,
  to: { readonly side: Side; readonly traits: SideTraits },
): Problem | undefined {
  const { side, traits } = to;
  if (traits.losesLinks) {
    return { path, side, code: "links_unsupported", message: "no symbolic links there" };
  }
  const fault = linkFault(path, target);
  return fault === undefined
    ? undefined
    : { path, side, code: "bad_link", message: `symbolic link refused: ${fault}` };
}

/** The names that a side has in a directory, also those that are about to go. */
function takenNames(dir: Listed, side: Side, traits: SideTraits): Map<string, string> {
  const view = dir.views[side];
  const taken = new Map<string, string>();
  for (const { name } of view.entries) taken.set(nameKey(name, traits), name);
  for (const name of view.opaque) taken.set(nameKey(name, traits), name);
  return taken;
}

function collision(
  item: Item,
  side: Side,
  names: { readonly taken: ReadonlyMap<string, string>; readonly traits: SideTraits },
): Problem | undefined {
  const name = item.name(side);
  const other = names.taken.get(nameKey(name, names.traits));
  if (other === undefined) return undefined;
  const isCase = name.normalize("NFC") !== other.normalize("NFC");
  return {
    path: item.path(side),
    side,
    code: isCase ? "case_collision" : "unicode_collision",
    message: `collides with ${JSON.stringify(other)}: ` +
      (isCase ? "letter case makes no difference there" : "Unicode forms make no difference there"),
  };
}

function windowsProblem(path: RelPath, name: string, side: Side): Problem | undefined {
  const fault = windowsNameFault(name);
  return fault === undefined ? undefined : { path, side, code: "windows_name", message: fault };
}

function lengthProblem(path: RelPath, side: Side): Problem | undefined {
  if (path.length * 3 <= PATH_BYTES_MAX && path.length < PATH_DEPTH_MAX) return undefined;
  if (utf8(path).length <= PATH_BYTES_MAX && path.split("/").length <= PATH_DEPTH_MAX) {
    return undefined;
  }
  return { path, side, code: "path_too_long", message: "the path is too long or too deep" };
}
