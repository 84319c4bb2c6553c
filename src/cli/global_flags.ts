/** The flags every command has. */
import { countFlag, type Flag, switchFlag, valueFlag } from "./flags.ts";
import { FLAG_SOURCES, type FlagValues } from "./flag_values.ts";
import { choice } from "./values/choice.ts";

/** What the flags of every command say: how to talk, not what to do. */
export interface GlobalOptions {
  /** JSON events on stdout in place of text. */
  readonly json: boolean;
  /** -1 quiet, 0 normal, 1 for `-v`, 2 for `-vv` and more. */
  readonly verbosity: number;
  readonly logFormat: "text" | "json";
  /** False where the user asked for no colour; true says only that colour was not forbidden. */
  readonly color: boolean;
  /** Questions are answered with yes. */
  readonly yes: boolean;
}

const JSON_EVENTS = switchFlag("json", "write JSON lines, one event a line, instead of text");
const QUIET = switchFlag("quiet", "say only what went wrong and what was asked for", {
  short: "q",
});
const VERBOSE = countFlag("verbose", "say more; -vv is for finding faults", { short: "v" });
const NO_COLOR = switchFlag("no-color", "no colours, also on a terminal");
const LOG_FORMAT = valueFlag(
  "log-format",
  "text|json",
  "how diagnostics on stderr look (default text)",
  choice(["text", "json"]),
  { choices: ["text", "json"] },
);
const YES = switchFlag("yes", "answer yes to every question", { short: "y" });

/** In the order help shows them. */
export const GLOBAL_FLAGS: readonly Flag<unknown>[] = [
  JSON_EVENTS,
  QUIET,
  VERBOSE,
  NO_COLOR,
  LOG_FORMAT,
  YES,
];

/**
 * Reads the options every command has.
 *
 * @param values The flags of the command that was called.
 * @param colorForbidden What the terminal and `NO_COLOR` say where no flag says otherwise.
 */
export function readGlobalOptions(values: FlagValues, colorForbidden: boolean): GlobalOptions {
  return {
    json: values.get(JSON_EVENTS) ?? false,
    verbosity: readVerbosity(values),
    logFormat: values.get(LOG_FORMAT) ?? "text",
    color: !(values.get(NO_COLOR) ?? colorForbidden),
    yes: values.get(YES) ?? false,
  };
}

/** Of `--quiet` and `--verbose` the one of the higher source counts; in the same, quiet does. */
function readVerbosity(values: FlagValues): number {
  const quiet = values.get(QUIET) ?? false;
  const verbose = Math.min(values.get(VERBOSE) ?? 0, VERBOSITY_MAX);
  if (!quiet) return verbose;
  const rank = (flag: Flag<unknown>) => FLAG_SOURCES.indexOf(values.source(flag) ?? "config");
  return verbose > 0 && rank(VERBOSE) < rank(QUIET) ? verbose : -1;
}

const VERBOSITY_MAX = 2;
