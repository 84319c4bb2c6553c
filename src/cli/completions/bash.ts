import {
  type CompletionCommand,
  completionCommands,
  type CompletionFlag,
  rootFlags,
} from "./model.ts";

/** The completion script for bash 3.2 and later. All words in it are fixed: none is expanded. */
export function bashCompletions(): string {
  const commands = completionCommands();
  const leaves = commands.flatMap((command) => [
    [command.name, command] as const,
    ...command.subcommands.map((sub) => [`${command.name} ${sub.name}`, sub] as const),
  ]);
  const allFlags = [...rootFlags(), ...leaves.flatMap(([, command]) => command.flags)];
  return `# bash completion for landropic
_landropic_reply() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$line"); done
}

_landropic() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local command='' operands=0 skip='' word i flags='' words=''
  COMPREPLY=()
  # bash splits --flag=value into three words.
  if [[ $cur == '=' ]]; then cur=''
  elif [[ $prev == '=' && COMP_CWORD -gt 2 ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi

  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    # It also splits at colons, which join two parts of one argument.
    if [[ $word == :* ]]; then i=$((i + 1)); continue; fi
    if [[ -n $skip ]]; then
      [[ $word == '=' ]] || skip=''
      continue
    fi
    case $word in
      ${optionWords(allFlags.filter((flag) => flag.placeholder !== undefined)).join("|")}) skip=1 ;;
      -*) ;;
      *)
        case "$command $word" in
          ${leaves.map(([path]) => path.includes(" ") ? `"${path}"` : `" ${path}"`).join("|")})
            command="\${command:+$command }$word" ;;
          *) operands=$((operands + 1)) ;;
        esac ;;
    esac
  done

  case $prev in
${valueCases(allFlags)}
  esac

  case $command in
${leaves.map(([path, command]) => commandCase(path, command)).join("\n")}
    '')
      flags='${optionWords(rootFlags()).join(" ")}'
      words='${commands.map((command) => command.name).join(" ")}' ;;
  esac

  if [[ $cur == -* ]]; then
    _landropic_reply < <(compgen -W "$flags" -- "$cur")
  elif [[ $words == '<directory>' ]]; then
    compopt -o filenames 2>/dev/null
    _landropic_reply < <(compgen -d -- "$cur")
  elif [[ -n $words ]]; then
    _landropic_reply < <(compgen -W "$words" -- "$cur")
  fi
}

complete -F _landropic landropic
`;
}

function optionWords(flags: readonly CompletionFlag[]): string[] {
  const words = flags.flatMap(({ name, short }) =>
    short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`]
  );
  return [...new Set(words)];
}

function valueCases(flags: readonly CompletionFlag[]): string {
  const seen = new Set<string>();
  const lines: string[] = [];
  for (const flag of flags) {
    if (flag.placeholder === undefined || seen.has(flag.name)) continue;
    seen.add(flag.name);
    const reply = flag.choices.length > 0
      ? `_landropic_reply < <(compgen -W '${flag.choices.join(" ")}' -- "$cur"); `
      : flag.completes === undefined
      ? ""
      : `compopt -o filenames 2>/dev/null; _landropic_reply < <(compgen ${
        flag.completes === "file" ? "-f" : "-d"
      } -- "$cur"); `;
    lines.push(`    ${optionWords([flag]).join("|")}) ${reply}return ;;`);
  }
  return lines.join("\n");
}

function commandCase(path: string, command: CompletionCommand): string {
  const words = command.subcommands.length > 0
    ? [`      words='${command.subcommands.map((sub) => sub.name).join(" ")}'`]
    : command.operands.flatMap(({ choices, completes }, i) => {
      const offer = completes === "directory" ? "<directory>" : choices?.join(" ");
      return offer === undefined ? [] : [`      [[ $operands == ${i} ]] && words='${offer}'`];
    });
  const lines = [
    `    '${path}')`,
    `      flags='${optionWords(command.flags).join(" ")}'`,
    ...words,
    "      ;;",
  ];
  return lines.join("\n");
}
