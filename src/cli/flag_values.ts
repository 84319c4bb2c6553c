/**
 * Where the value of a flag comes from: the command line, else the environment, else the config
 * file. A higher source replaces a lower one; lists are not merged.
 */
import { UsageError } from "../base/errors.ts";
import { escapeText } from "./escape.ts";
import { environmentName, type Flag, oppositeName } from "./flags.ts";
import { nearest } from "./suggest.ts";
import { BadValue } from "./values/bad_value.ts";

/** Environment variables, read only. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One time a flag was given on the command line. A switch's opposite has the text `false`. */
export interface Occurrence {
  readonly name: string;
  readonly text: string;
}

/** The three sources, highest first. */
export interface FlagSources {
  /** In the order of the command line. */
  readonly occurrences: readonly Occurrence[];
  readonly environment: Environment;
  /** The settings of the config file that apply to this command, by flag name. */
  readonly settings: ReadonlyMap<string, Setting>;
}

/** One setting of the config file. */
export interface Setting {
  readonly texts: readonly string[];
  /** How an error message names it: `"sync.bwlimit" in /home/me/.config/landropic/config.json`. */
  readonly label: string;
}

/** Which source gave a flag its value. */
export type FlagSource = "flag" | "environment" | "config";

/** The typed values of one command's flags. */
export class FlagValues {
  readonly #found = new Map<Flag<unknown>, Found>();

  /**
   * Reads and checks all flags, from whatever source they come.
   *
   * @throws {UsageError} naming the flag, variable or setting with a bad value.
   */
  constructor(flags: readonly Flag<unknown>[], sources: FlagSources) {
    for (const flag of flags) {
      const given = findTexts(flag, sources);
      if (given === undefined) continue;
      this.#found.set(flag, { ...given, value: readValue(flag, given) });
    }
  }

  /** The flag's value, or `undefined` where no source sets it. */
  get<T>(flag: Flag<T>): T | undefined {
    return this.#found.get(flag)?.value as T | undefined;
  }

  /** Which source the value came from, or `undefined` where the flag is not set. */
  source(flag: Flag<unknown>): FlagSource | undefined {
    return this.#found.get(flag)?.source;
  }

  /** How messages name what set the flag: `--name`, `LANDROPIC_NAME`, `"name" in …/config.json`. */
  label(flag: Flag<unknown>): string {
    return this.#found.get(flag)?.label ?? `--${flag.name}`;
  }

  /** True where the flag stands on the command line. */
  typed(flag: Flag<unknown>): boolean {
    return this.source(flag) === "flag";
  }

  /**
   * Of switches that exclude each other, the one that is on in the highest source.
   *
   * @throws {UsageError} where two are on in the same source.
   */
  exclusive(...switches: readonly Flag<boolean>[]): Flag<boolean> | undefined {
    const on = switches.filter((flag) => this.get(flag) === true);
    for (const source of FLAG_SOURCES) {
      const [first, second] = on.filter((flag) => this.source(flag) === source);
      if (second !== undefined) {
        throw new UsageError(`--${first!.name} and --${second.name} exclude each other`);
      }
      if (first !== undefined) return first;
    }
    return undefined;
  }

  /**
   * The values of several list flags as one sequence: those of the config file and the environment
   * first, flag by flag, then those of the command line in the order they were typed.
   */
  inOrder<T>(...lists: readonly Flag<readonly T[]>[]): readonly T[] {
    const entries: { value: T; position: number }[] = [];
    for (const flag of lists) {
      const found = this.#found.get(flag);
      if (found === undefined) continue;
      const values = found.value as readonly T[];
      values.forEach((value, i) => entries.push({ value, position: found.positions[i] ?? -1 }));
    }
    return entries.sort((a, b) => a.position - b.position).map((entry) => entry.value);
  }
}

/** What the texts of a flag were and where they stood. */
interface Given {
  readonly texts: readonly string[];
  /** Index on the command line of each text; empty for the other sources. */
  readonly positions: readonly number[];
  readonly source: FlagSource;
  readonly label: string;
}

interface Found extends Given {
  readonly value: unknown;
}

function findTexts(flag: Flag<unknown>, sources: FlagSources): Given | undefined {
  const typed = sources.occurrences
    .map((occurrence, position) => ({ ...occurrence, position }))
    .filter((occurrence) => occurrence.name === flag.name);
  if (typed.length > 0) {
    return {
      texts: typed.map((occurrence) => occurrence.text),
      positions: typed.map((occurrence) => occurrence.position),
      source: "flag",
      label: `--${flag.name}`,
    };
  }
  const variable = environmentName(flag.name);
  const text = sources.environment[variable];
  // An empty variable is how many tools unset one.
  if (text !== undefined && text !== "") {
    const texts = flag.kind === "list" ? text.split("\n").filter((line) => line !== "") : [text];
    return { texts, positions: [], source: "environment", label: variable };
  }
  const setting = sources.settings.get(flag.name);
  return setting && { ...setting, positions: [], source: "config" };
}

function readValue(flag: Flag<unknown>, given: Given): unknown {
  try {
    return flag.read(given.texts);
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    const shown = given.texts.map((text) => quote(text)).join(", ");
    throw new UsageError(`bad value ${shown} for ${given.label}: ${error.message}`, error.hint);
  }
}

/** A value as error messages show it: quoted, printable, and not longer than a line. */
export function quote(text: string): string {
  const characters = [...escapeText(text)];
  const shown = characters.length > QUOTED_LENGTH_MAX
    ? characters.slice(0, QUOTED_LENGTH_MAX).join("") + "…"
    : characters.join("");
  return `"${shown}"`;
}

/** The flag nearest to a mistyped long option (`--detele`), opposites included. */
export function nearestOption(
  typed: string,
  flags: readonly Flag<unknown>[],
): string | undefined {
  const name = typed.replace(/^-+/, "").replace(/=.*$/s, "");
  const names = flags.map((flag) => flag.name);
  const opposites = flags.filter((flag) => flag.kind === "switch")
    .map((flag) => oppositeName(flag.name));
  return nearest(name, ["help", ...names]) ?? nearest(name, opposites);
}

/** The sources from the highest, which wins, to the lowest. */
export const FLAG_SOURCES: readonly FlagSource[] = ["flag", "environment", "config"];

const QUOTED_LENGTH_MAX = 100;
