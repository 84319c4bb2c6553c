/** What a command is: its names, help and flags, and how a parsed line becomes its typed options. */
import type { Environment, FlagValues } from "./flag_values.ts";
import type { Flag } from "./flags.ts";

/** One positional argument. */
export interface Operand {
  /** As help shows it: `PEER[:SHARE]`. */
  readonly name: string;
  readonly help: string;
  readonly required?: boolean;
  readonly choices?: readonly string[];
  readonly completes?: "file" | "directory";
}

/** What a command's `build` gets to work with. */
export interface CommandInput {
  /** At least the required ones, at most as many as the spec has. */
  readonly operands: readonly string[];
  /**
   * Parses one operand.
   *
   * @throws {UsageError} naming the operand, where the parser throws a `BadValue`.
   */
  parse<T>(index: number, parser: (text: string) => T): T;
  readonly flags: FlagValues;
  readonly environment: Environment;
  /** Absolute; relative folders start here. */
  readonly cwd: string;
  /** Reads one line from stdin without its end; at end of file the empty text. */
  readLine(prompt: string): Promise<string>;
}

/** One command. `C` is the object its handler gets. */
export interface CommandSpec<C> {
  /** The words that call it: `sync`, `peers trust`. */
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
  /** Whole sentences for `--help` of the command alone. */
  readonly description: string;
  /** The heading it stands under in `landropic --help`. */
  readonly group: string;
  readonly operands: readonly Operand[];
  /** Without the global ones. */
  readonly flags: readonly Flag<unknown>[];
  /** Lines to copy, each with what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  /** False for commands that work without this device's state folders. */
  readonly usesHome: boolean;
  /** True for commands whose stdout is a text for another program, whatever `--json` says. */
  readonly plainOutput?: boolean;
  /**
   * Makes the typed, validated command.
   *
   * @throws {UsageError} on bad operands and values that contradict each other.
   */
  build(input: CommandInput): C | Promise<C>;
}

/** The usage line: `landropic sync PEER[:SHARE] [DIR] [flags]`. */
export function usageLine(spec: CommandSpec<unknown>): string {
  const operands = spec.operands.map(({ name, required }) => required ? name : `[${name}]`);
  return ["landropic", spec.name, ...operands, "[flags]"].join(" ");
}
