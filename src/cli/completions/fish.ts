import {
  type CompletionCommand,
  completionCommands,
  type CompletionFlag,
  rootFlags,
} from "./model.ts";

/** The completion script for fish. */
export function fishCompletions(): string {
  const commands = completionCommands();
  const lines = [
    "# fish completion for landropic",
    "complete -c landropic -f",
    ...rootFlags().map((flag) => flagLine(flag, "__fish_use_subcommand")),
    ...commands.map((command) => commandLine(command, "__fish_use_subcommand")),
  ];
  for (const command of commands) {
    const seen = `__fish_seen_subcommand_from ${command.name}`;
    if (command.subcommands.length === 0) {
      lines.push(...leafLines(command, seen));
      continue;
    }
    const names = command.subcommands.map((sub) => sub.name).join(" ");
    const none = `${seen}; and not __fish_seen_subcommand_from ${names}`;
    lines.push(...command.subcommands.map((sub) => commandLine(sub, none)));
    lines.push(...leafLines(command, none));
    for (const sub of command.subcommands) {
      lines.push(...leafLines(sub, `${seen}; and __fish_seen_subcommand_from ${sub.name}`));
    }
  }
  return lines.join("\n") + "\n";
}

function commandLine({ name, summary }: CompletionCommand, condition: string): string {
  return `complete -c landropic -n ${quoted(condition)} -a ${name} -d ${quoted(summary)}`;
}

function leafLines({ flags, operands }: CompletionCommand, condition: string): string[] {
  const lines = flags.map((flag) => flagLine(flag, condition));
  const head = `complete -c landropic -n ${quoted(condition)}`;
  const choices = operands.flatMap((operand) => operand.choices ?? []);
  if (choices.length > 0) lines.push(`${head} -a ${quoted(choices.join(" "))}`);
  if (operands.some((operand) => operand.completes === "directory")) {
    lines.push(`${head} -a '(__fish_complete_directories)'`);
  }
  return lines;
}

function flagLine(flag: CompletionFlag, condition: string): string {
  const { name, short, help, placeholder, choices, completes } = flag;
  const shortPart = short === undefined ? "" : ` -s ${short}`;
  const value = placeholder === undefined
    ? ""
    : choices.length > 0
    ? ` -x -a ${quoted(choices.join(" "))}`
    : completes === "file"
    ? " -r -F"
    : completes === "directory"
    ? " -x -a '(__fish_complete_directories)'"
    : " -x";
  return `complete -c landropic -n ${quoted(condition)}${shortPart} -l ${name}${value} -d ${
    quoted(help)
  }`;
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
