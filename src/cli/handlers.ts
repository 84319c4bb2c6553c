/** Who carries out each command. */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Command } from "./commands/all.ts";
import type { HomePaths } from "./home.ts";
import type { LineInput } from "./line_input.ts";
import type { Reporter } from "./reporter.ts";

/** What a handler gets besides its command. */
export interface CliContext {
  /** Where everything goes that the user or a script should see. */
  readonly reporter: Reporter;
  /** Where diagnostics go. */
  readonly logger: Logger;
  /**
   * Aborted by SIGHUP, SIGINT and SIGTERM and when the reader of stdout is gone. Stop cleanly then, and
   * return or throw; the exit code is taken care of.
   */
  readonly signal: AbortSignal;
  /** This device's folders; they exist. */
  readonly paths: HomePaths;
  /** The id that all events of this run carry, on both devices. */
  readonly run: string;
  readonly clock: Clock;
  readonly stdin: LineInput;
  /** Which outputs are terminals, and whether stdout may be coloured. */
  readonly terminal: {
    readonly stdout: boolean;
    readonly stderr: boolean;
    readonly color: boolean;
  };
  /**
   * Asks a question that is answered with yes or no. Without a terminal on stdin nobody is asked and
   * the answer is no; with `--yes` it is yes.
   */
  confirm(question: string): Promise<boolean>;
}

/**
 * Carries out one command. Returning means exit code 0; every other exit code is a thrown
 * `LandropicError`, also `partial` and `conflicts` after the summary.
 */
export type Handler<C extends Command> = (
  command: C,
  context: CliContext,
) => Promise<void> | void;

/** The handler of each command, by its name. */
export type Handlers = {
  readonly [Name in Command["command"]]: Handler<Extract<Command, { command: Name }>>;
};

/**
 * Loads the handler of each command when it is called, so that `--help` loads none of them. A
 * command without an entry says that this build lacks it.
 */
export type HandlerTable = {
  readonly [Name in keyof Handlers]?: () => Promise<Handlers[Name]>;
};
