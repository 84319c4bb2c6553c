import { byteText } from "./byte_text.ts";
import { wildmatch } from "./wildmatch.ts";

/** One line of an ignore file, ready to match. */
export interface IgnoreRule {
  /** `!`: takes back what an earlier rule excluded. */
  readonly isNegative: boolean;
  /** A "/" at the end: directories only. */
  readonly isDirOnly: boolean;
  /** No "/" elsewhere: matches a name at any depth, and is given only the name. */
  readonly isNameOnly: boolean;
  /**
   * @param text The name, or the path from the rule's directory on, as {@linkcode byteText} gives it.
   */
  matches(text: string): boolean;
}

const WILD = /[*?[\\]/;

/**
 * Understands one line of an ignore file by git's rules (gitignore(5)).
 *
 * @returns `undefined` for blank lines, comments, and lines that can match nothing.
 */
export function parseIgnoreLine(line: string): IgnoreRule | undefined {
  if (line.startsWith("#")) return undefined;
  let glob = byteText(trimBlanks(cutAtNul(line)));
  const isNegative = glob.startsWith("!");
  if (isNegative) glob = glob.slice(1);
  const isDirOnly = glob.endsWith("/");
  if (isDirOnly) glob = glob.slice(0, -1);
  if (glob === "") return undefined;
  const isNameOnly = !glob.includes("/");
  const matches = isNameOnly ? nameMatcher(glob) : pathMatcher(glob);
  return { isNegative, isDirOnly, isNameOnly, matches };
}

/**
 * Splits the text of an ignore file into its rules, in their order. A byte order mark at the front and
 * carriage returns before line breaks are no part of the lines.
 */
export function parseIgnoreText(text: string): IgnoreRule[] {
  const rules: IgnoreRule[] = [];
  for (const line of text.replace(/^\ufeff/, "").split("\n")) {
    const rule = parseIgnoreLine(line.endsWith("\r") ? line.slice(0, -1) : line);
    if (rule !== undefined) rules.push(rule);
  }
  return rules;
}

function nameMatcher(glob: string): (name: string) => boolean {
  if (!WILD.test(glob)) return (name) => name === glob;
  const end = glob.slice(1);
  if (glob.startsWith("*") && !WILD.test(end)) return (name) => name.endsWith(end);
  return (name) => wildmatch(glob, name, "none");
}

function pathMatcher(glob: string): (path: string) => boolean {
  const anchored = glob.startsWith("/") ? glob.slice(1) : glob;
  const wildAt = anchored.search(WILD);
  if (wildAt < 0) return (path) => path === anchored;
  // Git compares what stands before the first wildcard by itself and matches the rest as a pattern of
  // its own. That shows: in "foo**/bar" the stars then stand at the start, and cross slashes.
  const head = anchored.slice(0, wildAt);
  const tail = anchored.slice(wildAt);
  return (path) => path.startsWith(head) && wildmatch(tail, path.slice(wildAt), "names");
}

/** Trailing blanks are no part of a line, unless a backslash quotes them. Tabs are. */
function trimBlanks(line: string): string {
  let end = line.length;
  let isInRun = false;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === " ") {
      if (!isInRun) end = i;
      isInRun = true;
      continue;
    }
    if (line[i] === "\\" && ++i === line.length) return line;
    isInRun = false;
  }
  return isInRun ? line.slice(0, end) : line;
}

function cutAtNul(line: string): string {
  const nul = line.indexOf("\0");
  return nul < 0 ? line : line.slice(0, nul);
}
