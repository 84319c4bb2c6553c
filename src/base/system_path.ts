/**
 * Paths of this system, as in `node:path`: to load that one takes every start 40 ms, with all that it needs. On
 * Windows it is what does the work.
 */
import { builtin } from "./builtin.ts";

const isWindows = Deno.build.os === "windows";
const nodePath = builtin("node:path");

/** Joins the parts and makes the result plain: `join("/a/", "../b")` is `"/b"`. */
export function join(...parts: readonly string[]): string {
  if (isWindows) return nodePath.join(...parts);
  const joined = parts.filter((part) => part !== "").join("/");
  return joined === "" ? "." : plain(joined);
}

/** The absolute path that the parts lead to, one after the other, from the current directory. */
export function resolve(...parts: readonly string[]): string {
  if (isWindows) return nodePath.resolve(...parts);
  const last = parts.findLastIndex((part) => part.startsWith("/"));
  const relative = parts.slice(Math.max(last, 0)).filter((part) => part !== "");
  const whole = (last < 0 ? [Deno.cwd(), ...relative] : relative).join("/");
  const path = plain(whole);
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}

/** The last name of a path, whether a slash follows it or not. */
export function basename(path: string): string {
  if (isWindows) return nodePath.basename(path);
  const trimmed = withoutLastSlashes(path);
  return trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

/** The path without its last name: `"/"` for what lies in the root, `"."` for a name alone. */
export function dirname(path: string): string {
  if (isWindows) return nodePath.dirname(path);
  const trimmed = withoutLastSlashes(path);
  const slash = trimmed.lastIndexOf("/");
  if (slash < 0) return path.startsWith("/") ? "/" : ".";
  return withoutLastSlashes(trimmed.slice(0, slash)) || "/";
}

/** Without `.`, `..` where that is possible, and more than one slash in a row. */
function plain(path: string): string {
  const isAbsolute = path.startsWith("/");
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") names.push(name);
    else if (names.length > 0 && names.at(-1) !== "..") names.pop();
    else if (!isAbsolute) names.push(name);
  }
  const text = (isAbsolute ? "/" : "") + names.join("/");
  if (names.length === 0) return isAbsolute ? "/" : path.endsWith("/") ? "./" : ".";
  return path.endsWith("/") ? `${text}/` : text;
}

function withoutLastSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === "/") end--;
  return path.slice(0, end);
}
