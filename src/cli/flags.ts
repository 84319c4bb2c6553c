/** What a flag is: its names, its help, and how its texts become a typed value. */
import { BadValue } from "./values/bad_value.ts";

/** One flag of one or more commands. `T` is what a command gets when the flag is set. */
export interface Flag<T> {
  /**
   * The long name without dashes. It also makes the environment form (`max-delete` is
   * `LANDROPIC_MAX_DELETE`) and the key in the config file.
   */
  readonly name: string;
  /** One letter. */
  readonly short: string | undefined;
  readonly kind: "switch" | "count" | "value" | "list";
  /** What stands for the value in help texts; `undefined` for switches and counts. */
  readonly placeholder: string | undefined;
  readonly help: string;
  /** The words the value can be, where there are few. */
  readonly choices: readonly string[] | undefined;
  /** What a shell should offer as the value. */
  readonly completes: "file" | "directory" | undefined;
  /**
   * Turns what was given into the value: one text per time it was given, at least one.
   *
   * @throws {BadValue} where a text is no such value.
   */
  read(texts: readonly string[]): T;
}

/** Whatever may be said about a flag besides its names. */
export interface FlagOptions {
  readonly short?: string;
  readonly choices?: readonly string[];
  readonly completes?: "file" | "directory";
}

/** An on/off flag. Its opposite (`--no-NAME`, or `--NAME` for `no-NAME`) exists by itself. */
export function switchFlag(name: string, help: string, options: FlagOptions = {}): Flag<boolean> {
  return {
    ...common(name, help, options),
    kind: "switch",
    placeholder: undefined,
    read: (texts) => readSwitch(texts.at(-1)!),
  };
}

/** A flag whose repetitions add up (`-vv` is 2); elsewhere it may be a number. */
export function countFlag(name: string, help: string, options: FlagOptions = {}): Flag<number> {
  return {
    ...common(name, help, options),
    kind: "count",
    placeholder: undefined,
    read: (texts) => texts.reduce((sum, text) => addCount(sum, text), 0),
  };
}

/** A flag with one value; of several, the last one counts. */
export function valueFlag<T>(
  name: string,
  placeholder: string,
  help: string,
  parse: (text: string) => T,
  options: FlagOptions = {},
): Flag<T> {
  return {
    ...common(name, help, options),
    kind: "value",
    placeholder,
    read: (texts) => texts.map(parse).at(-1)!,
  };
}

/** A flag that may be given several times; all values count, in order. */
export function listFlag<T>(
  name: string,
  placeholder: string,
  help: string,
  parse: (text: string) => T,
  options: FlagOptions = {},
): Flag<readonly T[]> {
  return {
    ...common(name, help, options),
    kind: "list",
    placeholder,
    read: (texts) => texts.map(parse),
  };
}

/** The name of a switch's opposite: `delete` and `no-delete`, `no-qr` and `qr`. */
export function oppositeName(name: string): string {
  return name.startsWith("no-") ? name.slice(3) : `no-${name}`;
}

/** The environment variable of a flag. */
export function environmentName(name: string): string {
  return "LANDROPIC_" + name.toUpperCase().replaceAll("-", "_");
}

function common(name: string, help: string, { short, choices, completes }: FlagOptions) {
  return { name, help, short, choices, completes };
}

function readSwitch(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw new BadValue("expected 1 or 0 (or true, false, yes, no, on, off)");
}

function addCount(sum: number, text: string): number {
  if (/^\d{1,2}$/.test(text)) return sum + Number(text);
  return readSwitch(text) ? sum + 1 : 0;
}
