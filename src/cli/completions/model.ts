/** The commands and flags as completion scripts need them, taken from the command specs. */
import type { Operand } from "../command_spec.ts";
import { COMMANDS } from "../commands/all.ts";
import { PEERS_SUMMARY } from "../commands/peers.ts";
import type { Flag } from "../flags.ts";
import { GLOBAL_FLAGS } from "../global_flags.ts";

/** One word that can follow `landropic`. */
export interface CompletionCommand {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletionFlag[];
  readonly operands: readonly Pick<Operand, "name" | "choices" | "completes">[];
  /** What can follow it in turn; empty for all but groups. */
  readonly subcommands: readonly CompletionCommand[];
}

/** One flag as a shell offers it. */
export interface CompletionFlag {
  readonly name: string;
  readonly short: string | undefined;
  readonly help: string;
  /** What stands for its value; `undefined` where it takes none. */
  readonly placeholder: string | undefined;
  readonly repeatable: boolean;
  readonly choices: readonly string[];
  readonly completes: "file" | "directory" | undefined;
}

/** Every command, in the order of `--help`, then `help` itself. */
export function completionCommands(): CompletionCommand[] {
  const commands: CompletionCommand[] = [];
  for (const spec of COMMANDS) {
    const [first, second] = spec.name.split(" ") as [string, string | undefined];
    const flags = [...spec.flags, ...GLOBAL_FLAGS].map(completionFlag);
    const leaf: CompletionCommand = {
      name: second ?? first,
      summary: spec.summary,
      flags: [...flags, HELP_FLAG],
      operands: spec.operands,
      subcommands: [],
    };
    if (second === undefined) {
      commands.push(leaf);
      continue;
    }
    const at = commands.findIndex((command) => command.name === first);
    const group = commands[at] ?? {
      name: first,
      summary: PEERS_SUMMARY,
      flags: rootFlags().filter((flag) => flag.name !== "version"),
      operands: [],
      subcommands: [],
    };
    const grown = { ...group, subcommands: [...group.subcommands, leaf] };
    if (at < 0) commands.push(grown);
    else commands[at] = grown;
  }
  return [...commands, helpCommand(commands.map((command) => command.name))];
}

/** The flags that can stand before any command. */
export function rootFlags(): CompletionFlag[] {
  return [...GLOBAL_FLAGS.map(completionFlag), HELP_FLAG, VERSION_FLAG];
}

function completionFlag(flag: Flag<unknown>): CompletionFlag {
  return {
    name: flag.name,
    short: flag.short,
    help: flag.help,
    placeholder: flag.placeholder,
    repeatable: flag.kind === "list" || flag.kind === "count",
    choices: flag.choices ?? [],
    completes: flag.completes,
  };
}

function plainFlag(name: string, short: string, help: string): CompletionFlag {
  const nothing = { placeholder: undefined, repeatable: false, choices: [], completes: undefined };
  return { name, short, help, ...nothing };
}

function helpCommand(names: readonly string[]): CompletionCommand {
  return {
    name: "help",
    summary: "show help for a command",
    flags: [],
    operands: [{ name: "command", choices: names }],
    subcommands: [],
  };
}

const HELP_FLAG = plainFlag("help", "h", "show help");
const VERSION_FLAG = plainFlag("version", "V", "print the version");
