import type { DirPath, RelPath } from "../../base/paths.ts";
import { byteText } from "./byte_text.ts";
import { type IgnoreRule, parseIgnoreLine, parseIgnoreText } from "./ignore_rule.ts";

/** The file of rules in any directory of a share; synced like every other file. */
export const IGNORE_FILE = ".landropicignore";

/** UTF-8 bytes of one ignore file that are worth reading; a longer one is somebody's mistake. */
export const IGNORE_FILE_BYTES_MAX = 1024 * 1024;

/** Rules of one origin. */
interface Level {
  readonly rules: readonly IgnoreRule[];
  /** Bytes of a path that lie before what these rules see of it. */
  readonly baseLength: number;
}

const NO_RULES: Level = { rules: [], baseLength: 0 };

/**
 * The rules in force in one directory: those of the command line, then those of its own ignore file,
 * then its parents'. The first origin with a match decides, and within it the last match: git's order.
 *
 * Immutable, so that directories can be walked in any order: {@linkcode enter} gives the stack of a
 * subdirectory. What lies under an ignored directory is ignored, whatever the rules say of it: a walk
 * never enters one, and {@linkcode PathFilter} answers for paths at any depth.
 */
export class FilterStack {
  readonly #commandLine: Level;
  /** Deepest directory first. */
  readonly #files: readonly Level[];

  private constructor(
    /** The directory whose entries this stack judges. */
    readonly dir: DirPath,
    commandLine: Level,
    files: readonly Level[],
  ) {
    this.#commandLine = commandLine;
    this.#files = files;
  }

  /**
   * The stack of the share's root.
   *
   * @param commandLine Lines as in an ignore file: `--exclude` as they are, `--include` behind a "!".
   * @param ignoreFileText The root's {@linkcode IGNORE_FILE}, where there is one.
   */
  static root(commandLine: readonly string[] = [], ignoreFileText?: string): FilterStack {
    const rules = commandLine.flatMap((line) => parseIgnoreLine(line) ?? []);
    const level = rules.length === 0 ? NO_RULES : { rules, baseLength: 0 };
    return new FilterStack("", level, fileLevels("", ignoreFileText));
  }

  /** True if no rule is in force here: nothing is ignored. */
  get isEmpty(): boolean {
    return this.#files.length === 0 && this.#commandLine === NO_RULES;
  }

  /**
   * The stack of a directory within this one's, which must not be an ignored one.
   *
   * @param ignoreFileText Its {@linkcode IGNORE_FILE}, where there is one.
   */
  enter(dir: RelPath, ignoreFileText?: string): FilterStack {
    const own = fileLevels(dir, ignoreFileText);
    const files = own.length === 0 ? this.#files : [...own, ...this.#files];
    return new FilterStack(dir, this.#commandLine, files);
  }

  /**
   * Whether an entry of this very directory is ignored.
   *
   * @param path Its whole path, from the share's root.
   * @param isDir True for a real directory; a link to one is none.
   */
  isIgnored(path: RelPath, isDir: boolean): boolean {
    if (this.isEmpty) return false;
    const bytes = byteText(path);
    const subject = { bytes, name: bytes.slice(bytes.lastIndexOf("/") + 1), isDir };
    const decided = lastMatch(this.#commandLine, subject);
    if (decided !== undefined) return !decided.isNegative;
    for (const level of this.#files) {
      const rule = lastMatch(level, subject);
      if (rule !== undefined) return !rule.isNegative;
    }
    return false;
  }
}

/** A path under judgement, as {@linkcode byteText} gives it. */
interface Subject {
  readonly bytes: string;
  readonly name: string;
  readonly isDir: boolean;
}

function lastMatch(level: Level, subject: Subject): IgnoreRule | undefined {
  const { rules, baseLength } = level;
  const path = baseLength === 0 ? subject.bytes : subject.bytes.slice(baseLength);
  for (let i = rules.length - 1; i >= 0; i--) {
    const rule = rules[i]!;
    if (rule.isDirOnly && !subject.isDir) continue;
    if (rule.matches(rule.isNameOnly ? subject.name : path)) return rule;
  }
  return undefined;
}

function fileLevels(dir: DirPath, text: string | undefined): Level[] {
  const rules = text === undefined ? [] : parseIgnoreText(text);
  return rules.length === 0
    ? []
    : [{ rules, baseLength: dir === "" ? 0 : byteText(dir).length + 1 }];
}
