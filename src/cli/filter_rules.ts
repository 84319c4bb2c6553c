/** The rules of `--exclude`, `--include` and `--exclude-from`, as lines of a gitignore file. */
import { LandropicError, messageOf } from "../base/errors.ts";
import { BadValue } from "./values/bad_value.ts";

/** One rule, in the order in which later ones win over earlier ones. */
export type FilterRule =
  | { readonly kind: "exclude"; readonly glob: string }
  | { readonly kind: "include"; readonly glob: string }
  /** A file of gitignore lines; `-` is stdin. The path is absolute otherwise. */
  | { readonly kind: "exclude-from"; readonly file: string };

/**
 * Checks a GLOB of the command line.
 *
 * @throws {BadValue} on an empty glob and on line breaks, which no gitignore rule can hold.
 */
export function parseGlob(text: string): string {
  if (text === "") throw new BadValue("the pattern is empty");
  if (/[\n\r\0]/.test(text)) throw new BadValue("a pattern has no line breaks");
  return text;
}

/** Checks the GLOB of `--include`, which becomes a `!` line and so cannot begin with `!` itself. */
export function parseIncludeGlob(text: string): string {
  const glob = parseGlob(text);
  if (glob.startsWith("!")) throw new BadValue("the pattern begins with !", "write \\! for it");
  return glob;
}

/**
 * Writes the rules as gitignore lines, last match wins.
 *
 * @param readFile Gives the text of a file, or of stdin for `-`.
 * @throws {LandropicError} `storage` where a file of rules cannot be read.
 */
export async function toIgnoreLines(
  rules: readonly FilterRule[],
  readFile: (file: string) => Promise<string>,
): Promise<string[]> {
  const lines: string[] = [];
  for (const rule of rules) {
    if (rule.kind === "exclude") lines.push(protect(rule.glob));
    else if (rule.kind === "include") lines.push("!" + protect(rule.glob).replace(/^\\#/, "#"));
    else lines.push(...(await readRules(rule.file, readFile)).split(/\r?\n/));
  }
  return lines;
}

/** On the command line `#` starts no comment and a trailing blank is meant, unlike in a file. */
function protect(glob: string): string {
  const commentless = glob.startsWith("#") ? "\\" + glob : glob;
  return commentless.replace(/(?<!\\) +$/, (blanks) => "\\ ".repeat(blanks.length));
}

async function readRules(file: string, readFile: (file: string) => Promise<string>) {
  try {
    return await readFile(file);
  } catch (error) {
    throw new LandropicError(
      "storage",
      `Cannot read the rules of --exclude-from ${file}: ${messageOf(error)}`,
      undefined,
      error,
    );
  }
}
