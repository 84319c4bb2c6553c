/** The command line as commander sees it, built from the command specs. */
import { Argument, Command as Program, CommanderError, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { type CommandSpec, usageLine } from "./command_spec.ts";
import { type Command, COMMANDS } from "./commands/all.ts";
import { PEERS_SUMMARY } from "./commands/peers.ts";
import type { Occurrence } from "./flag_values.ts";
import { lineError, unknownCommand } from "./line_errors.ts";
import { type Flag, oppositeName } from "./flags.ts";
import { GLOBAL_FLAGS } from "./global_flags.ts";
import { versionText } from "./version.ts";

/** What a command line asks for, before any value was looked at. */
export type ParsedLine =
  /** Print this text to stdout and end well: help or the version. */
  | { readonly kind: "text"; readonly text: string }
  | {
    readonly kind: "command";
    readonly spec: CommandSpec<Command>;
    readonly operands: readonly string[];
    /** Flags in the order of the line, global ones before the command included. */
    readonly occurrences: readonly Occurrence[];
  };

/** How help texts are laid out. */
export interface HelpStyle {
  /** Terminal columns. */
  readonly width: number;
  readonly color: boolean;
}

/**
 * Parses a command line into the command it names, its operands and its flags. Does not look at the
 * environment, at files or at any value.
 *
 * @throws {UsageError} on unknown commands and options, with what was probably meant.
 */
export function parseLine(args: readonly string[], style: HelpStyle): ParsedLine {
  const state: LineState = { text: "", errorText: "", occurrences: [] };
  const program = createProgram(args, state, style);
  try {
    program.parse(args as string[], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.help" && error.exitCode !== 0) {
      throw new UsageError("no command given", "`landropic --help` lists the commands", error);
    }
    if (error.exitCode !== 0) throw lineError(error, args);
    return { kind: "text", text: state.text };
  }
  const { spec, operands } = state.called!;
  return { kind: "command", spec, operands, occurrences: state.occurrences };
}

/** What the callbacks of one parse leave behind. */
interface LineState {
  text: string;
  errorText: string;
  readonly occurrences: Occurrence[];
  called?: { readonly spec: CommandSpec<Command>; readonly operands: readonly string[] };
}

function createProgram(args: readonly string[], state: LineState, style: HelpStyle): Program {
  const program = new Program("landropic");
  prepare(program, state, style, "Flags:");
  program
    .usage("<command> [args] [flags]")
    .description(
      "Keeps folders in step between devices that trust each other, straight over the local " +
        "network or the internet: no cloud, no account, no daemon.",
    )
    .version(versionText(), "-V, --version", "print the version")
    .enablePositionalOptions()
    .addHelpCommand(helpCommand("Looking closer:"))
    .addHelpText("after", EPILOG);
  addFlags(program, GLOBAL_FLAGS, state, "Flags:");
  const words = new Set(args);
  const isNamedFirst = COMMANDS.some(({ name }) => firstWord(name) === args[0]);
  for (const spec of COMMANDS) {
    const word = firstWord(spec.name);
    if (words.has(word)) addCommand(program, spec, state, style);
    // No other is then called, listed or suggested.
    else if (!isNamedFirst) listCommand(program, word, spec);
  }
  return program;
}

function firstWord(name: string): string {
  return name.split(" ", 1)[0]!;
}

/** What the program, groups of commands and commands have in common. */
function prepare(
  command: Program,
  state: LineState,
  { width, color }: HelpStyle,
  heading = GLOBAL_HEADING,
): void {
  const bold = (text: string) => color ? `\x1b[1m${text}\x1b[0m` : text;
  command
    .exitOverride()
    .configureOutput({
      writeOut: (text) => state.text += text,
      writeErr: (text) => state.errorText += text,
      getOutHelpWidth: () => width,
      getErrHelpWidth: () => width,
      getOutHasColors: () => color,
      getErrHasColors: () => color,
    })
    .configureHelp({
      styleTitle: bold,
      subcommandTerm: (subcommand) => subcommand.name(),
      optionTerm: (option) => option.flags.replace(/<(.*)>$/, "$1"),
    })
    .showSuggestionAfterError(false)
    .allowExcessArguments(true)
    .optionsGroup(heading)
    .helpOption("-h, --help", "show help");
}

function helpCommand(group: string): Program {
  return new Program("help")
    .argument("[command]")
    .description("show help for a command")
    .helpGroup(group)
    .helpOption(false);
}

/**
 * A command that this line can't call, since its name is nowhere in it: a line in the list of commands.
 * Making all of each command would take most of a short run's time.
 */
function listCommand(program: Program, word: string, spec: CommandSpec<Command>): void {
  if (program.commands.some((command) => command.name() === word)) return;
  const { summary, group } = word === spec.name
    ? spec
    : { summary: PEERS_SUMMARY, group: PEERS_GROUP };
  program.addCommand(new Program(word).summary(summary).helpGroup(group));
}

function addCommand(
  program: Program,
  spec: CommandSpec<Command>,
  state: LineState,
  style: HelpStyle,
): void {
  const [first, second] = spec.name.split(" ") as [string, string | undefined];
  const parent = second === undefined ? program : groupCommand(program, first, state, style);
  const command = parent.command(second ?? first);
  prepare(command, state, style);
  command
    .summary(spec.summary)
    .description(spec.description)
    .helpGroup(spec.group)
    .usage(usageLine(spec).slice(`landropic ${spec.name} `.length))
    .addHelpText("after", examples(spec.examples));
  for (const operand of spec.operands) {
    // All optional for commander: who counts them knows the whole command.
    command.addArgument(new Argument(`[${operand.name}]`, operand.help));
  }
  addFlags(command, spec.flags, state, "Flags:");
  addFlags(command, GLOBAL_FLAGS, state, GLOBAL_HEADING);
  command.action(() => {
    state.called = { spec, operands: command.args };
  });
}

/** The command that `peers` is: a group, and its `list` when it stands alone. */
function groupCommand(
  program: Program,
  name: string,
  state: LineState,
  style: HelpStyle,
): Program {
  const existing = program.commands.find((command) => command.name() === name);
  if (existing !== undefined) return existing;
  const group = program.command(name);
  prepare(group, state, style);
  group
    .summary(PEERS_SUMMARY)
    .description("Lists, trusts, removes and renames peers. Alone, it lists them.")
    .helpGroup(PEERS_GROUP)
    .usage("[list|trust|remove|rename] [args] [flags]")
    .addHelpCommand(helpCommand("Commands:"))
    .addHelpText("after", examples(commandsOf(name).map(({ examples: [first] }) => first!)));
  addFlags(group, GLOBAL_FLAGS, state, GLOBAL_HEADING);
  group.action(() => {
    const spec = COMMANDS.find((command) => command.name === `${name} list`)!;
    const [unknown] = group.args;
    if (unknown !== undefined) {
      throw unknownCommand(unknown, group.commands.map((command) => command.name()), name);
    }
    state.called = { spec, operands: [] };
  });
  return group;
}

/** The commands of a group. */
function commandsOf(group: string): readonly CommandSpec<unknown>[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${group} `));
}

function addFlags(
  command: Program,
  flags: readonly Flag<unknown>[],
  { occurrences }: LineState,
  heading: string,
): void {
  for (const flag of flags) {
    const short = flag.short === undefined ? "" : `-${flag.short}, `;
    const value = flag.placeholder === undefined ? "" : ` <${flag.placeholder}>`;
    const option = new Option(`${short}--${flag.name}${value}`, flag.help).helpGroup(heading);
    addOption(command, option, (text) => occurrences.push({ name: flag.name, text }), "true");
    if (flag.kind === "switch" || flag.kind === "count") {
      const opposite = new Option(`--${oppositeName(flag.name)}`).hideHelp().helpGroup(heading);
      addOption(command, opposite, (text) => occurrences.push({ name: flag.name, text }), "false");
    }
  }
}

/** Adds an option and listens to commander's event for it, which keeps the order of the line. */
function addOption(
  command: Program,
  option: Option,
  onGiven: (text: string) => void,
  textWhenBare: string,
): void {
  command.addOption(option);
  command.on(`option:${option.name()}`, (text: string | undefined) => {
    onGiven(option.required ? text ?? "" : textWhenBare);
  });
}

function examples(of: CommandSpec<unknown>["examples"]): string {
  const lines = of.map(([line, does]) => `  ${line}\n      ${does}`);
  return `\nExamples:\n${lines.join("\n")}`;
}

/** The heading in help that the group of commands `peers` stands under. */
const PEERS_GROUP = "Devices:";
const GLOBAL_HEADING = "Flags of every command:";

const EPILOG = `
Examples:
  landropic pair
      on one device: shows a code; on the other: landropic pair CODE
  landropic serve ~/Documents
      on the one that waits
  landropic sync nas ~/Documents
      on the other, by hand or from cron

Every flag has an environment form (--max-delete: LANDROPIC_MAX_DELETE) and a
key in config.json ("max-delete"); every on/off flag has an opposite
(--no-delete, --color).

Exit codes: 0 done, 1 failed, 2 usage, 3 some files failed, 4 conflicts,
5 safety limit, 6 locked, 10 peer unreachable, 11 not trusted, 12 protocol,
13 no such share, 14 local storage, 15 timed out`;
