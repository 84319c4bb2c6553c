/** What is said about a command line that does not parse. */
import type { CommanderError } from "commander";
import { UsageError } from "../base/errors.ts";
import type { CommandSpec } from "./command_spec.ts";
import { COMMANDS } from "./commands/all.ts";
import { nearestOption, quote } from "./flag_values.ts";
import { GLOBAL_FLAGS } from "./global_flags.ts";
import { nearest } from "./suggest.ts";

/**
 * Says in one line, and in landropic's words, what commander found wrong.
 *
 * @param error What commander threw.
 * @param args The whole line, to find the command it probably calls.
 */
export function lineError(error: CommanderError, args: readonly string[]): UsageError {
  const quoted = /'(.*)'/s.exec(error.message)?.[1] ?? "";
  switch (error.code) {
    case "commander.unknownOption":
      return unknownOption(quoted, args);
    case "commander.unknownCommand":
      return unknownCommand(quoted, commandWords());
    case "commander.optionMissingArgument": {
      const [, option = quoted, value = "value"] = /(--[\w-]+) <(.*)>$/s.exec(quoted) ?? [];
      return new UsageError(`${option} needs a value: ${option} ${value}`);
    }
    default:
      return new UsageError(error.message.replace(/^error: /, ""), undefined, error);
  }
}

function unknownOption(typed: string, args: readonly string[]): UsageError {
  const spec = calledSpec(args);
  const flags = [...(spec?.flags ?? []), ...GLOBAL_FLAGS];
  const name = typed.replace(/^-+/, "").replace(/=.*$/s, "");
  const exact = flags.find((flag) => flag.name === name && typed.startsWith("--"));
  if (exact !== undefined && typed.includes("=")) {
    return new UsageError(`--${name} takes no value`);
  }
  const shown = printable(typed);
  if (exact !== undefined) {
    // Known to the command, but it stood before it.
    return new UsageError(
      `unknown option ${shown}`,
      `put it after the command: landropic ${spec!.name} ${shown}`,
    );
  }
  const near = typed.startsWith("--") ? nearestOption(typed, flags) : undefined;
  if (near !== undefined) {
    return new UsageError(
      `unknown option ${shown} (did you mean --${near}?)`,
      helpHint(spec?.name),
    );
  }
  return flagOfOthers(typed, shown) ??
    new UsageError(`unknown option ${shown}`, helpHint(spec?.name));
}

/** For a flag, right or mistyped, of other commands than the one that was called. */
function flagOfOthers(typed: string, shown: string): UsageError | undefined {
  if (!typed.startsWith("--")) return undefined;
  const name = typed.slice(2).replace(/=.*$/s, "");
  const near = nearestOption(name, COMMANDS.flatMap((command) => command.flags));
  if (near === undefined) return undefined;
  const owners = COMMANDS
    .filter((command) => command.flags.some((flag) => flag.name === near))
    .map((command) => `\`landropic ${command.name}\``);
  return new UsageError(
    `unknown option ${shown}` + (near === name ? "" : ` (did you mean --${near}?)`),
    owners.length === 0 ? undefined : `--${near} is a flag of ${owners.join(", ")}`,
  );
}

/** A word that is no command, and no command of its group. */
export function unknownCommand(
  typed: string,
  words: readonly string[],
  group?: string,
): UsageError {
  const near = nearest(typed, words);
  return new UsageError(
    `unknown command ${quote(group === undefined ? typed : `${group} ${typed}`)}` +
      (near === undefined ? "" : ` (did you mean ${near}?)`),
    helpHint(group),
  );
}

/** The command a broken line probably calls: the first words that are one. */
function calledSpec(args: readonly string[]): CommandSpec<unknown> | undefined {
  const at = args.findIndex((arg) => commandWords().includes(arg));
  if (at < 0) return undefined;
  const [first, second] = args.slice(at).filter((arg) => !arg.startsWith("-"));
  return COMMANDS.find((spec) => spec.name === `${first} ${second}`) ??
    COMMANDS.find((spec) => spec.name.split(" ")[0] === first);
}

function commandWords(): string[] {
  return [...new Set(COMMANDS.map((spec) => spec.name.split(" ")[0]!)), "help"];
}

function helpHint(command: string | undefined): string {
  return `\`landropic ${command === undefined ? "" : `${command} `}--help\` lists what there is`;
}

function printable(typed: string): string {
  return quote(typed).slice(1, -1);
}
