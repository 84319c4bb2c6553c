import {
  type CompletionCommand,
  completionCommands,
  type CompletionFlag,
  rootFlags,
} from "./model.ts";

/** The completion script for zsh, to be found in `fpath` or sourced after `compinit`. */
export function zshCompletions(): string {
  const commands = completionCommands();
  return `#compdef landropic
_landropic() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
${level(rootFlags(), commands, "  ")}
}

if [ "$funcstack[1]" = _landropic ]; then
  _landropic "$@"
else
  compdef _landropic landropic
fi
`;
}

/** One level of words: flags, then one of the commands, then what belongs to that command. */
function level(
  flags: readonly CompletionFlag[],
  commands: readonly CompletionCommand[],
  indent: string,
): string {
  const lines = [
    "_arguments -C \\",
    ...flags.map((flag) => `  ${flagSpec(flag)} \\`),
    "  '1:command:->command' \\",
    "  '*::argument:->argument'",
    "case $state in",
    "  command)",
    "    local -a commands",
    "    commands=(",
    ...commands.map(({ name, summary }) =>
      `      ${quoted(`${name}:${summary.replaceAll(":", "\\:")}`)}`
    ),
    "    )",
    "    _describe command commands ;;",
    "  argument)",
    "    case $words[1] in",
    ...commands.flatMap((command) => [
      `      ${command.name})`,
      command.subcommands.length > 0
        ? level(command.flags, command.subcommands, "        ")
        : leaf(command, "        "),
      "        ;;",
    ]),
    "    esac ;;",
    "esac",
  ];
  // Lines of nested levels are indented already.
  return lines.join("\n").split("\n").map((line) => indent + line).join("\n");
}

function leaf({ flags, operands }: CompletionCommand, indent: string): string {
  const specs = [
    ...flags.map(flagSpec),
    ...operands.map(({ name, choices, completes }, i) =>
      quoted(`${i + 1}:${escapeSpec(name)}:${action(choices ?? [], completes)}`)
    ),
  ];
  return [
    "_arguments \\",
    ...specs.map((spec, i) => `  ${spec}${i < specs.length - 1 ? " \\" : ""}`),
  ].map((line) => indent + line).join("\n");
}

function flagSpec(flag: CompletionFlag): string {
  const { name, short, help, placeholder, repeatable, choices, completes } = flag;
  const value = placeholder === undefined
    ? ""
    : `:${escapeSpec(placeholder)}:${action(choices, completes)}`;
  const text = `[${escapeSpec(help)}]${value}`;
  const long = placeholder === undefined ? `--${name}` : `--${name}=`;
  if (short === undefined) return quoted(`${repeatable ? "*" : ""}${long}${text}`);
  const head = repeatable ? "'*'" : `'(-${short} --${name})'`;
  return `${head}{-${short},${long}}${quoted(text)}`;
}

function action(choices: readonly string[], completes: "file" | "directory" | undefined): string {
  if (choices.length > 0) return `(${choices.join(" ")})`;
  return completes === "directory" ? "_files -/" : completes === "file" ? "_files" : " ";
}

function escapeSpec(text: string): string {
  return text.replace(/[\\:[\]]/g, "\\$&");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
