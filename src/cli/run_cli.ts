/** One run of the command line, from the arguments to the exit code. */
import { LandropicError, messageOf } from "../base/errors.ts";
import { commandInput } from "./command_input.ts";
import type { CommandSpec } from "./command_spec.ts";
import { type Command, COMMANDS } from "./commands/all.ts";
import { readSettings } from "./config_file.ts";
import { EXIT_CODE, EXIT_OK, EXIT_SIGNAL } from "./exit_codes.ts";
import { describeFailure } from "./failure.ts";
import { type Environment, FlagValues, type Occurrence, type Setting } from "./flag_values.ts";
import { GLOBAL_FLAGS, type GlobalOptions, readGlobalOptions } from "./global_flags.ts";
import type { CliContext, Handler, HandlerTable } from "./handlers.ts";
import { createHome, findHome } from "./home.ts";
import type { Host } from "./host.ts";
import { JsonReporter } from "./json_reporter.ts";
import { LineInput } from "./line_input.ts";
import { Output } from "./output.ts";
import { parseLine } from "./program.ts";
import type { Reporter } from "./reporter.ts";
import { StopSignals } from "./signals.ts";
import { StderrLogger } from "./stderr_logger.ts";
import { createStyle } from "./style.ts";
import { TextReporter } from "./text_reporter.ts";

/**
 * Runs one command line.
 *
 * @param args Without the program's name.
 * @param handlers Who carries out each command.
 * @returns The exit code. Never rejects: whatever goes wrong is reported and becomes a code.
 */
export async function runCli(
  args: readonly string[],
  handlers: HandlerTable,
  host: Host,
): Promise<number> {
  const run = new CliRun(handlers, host, guessOptions(args, host.environment));
  using _ = run;
  return await run.run(args);
}

/** What lives as long as one run. */
class CliRun implements Disposable {
  readonly #handlers: HandlerTable;
  readonly #host: Host;
  readonly #output: Output;
  readonly #runId: string;
  readonly #stdin: LineInput;
  readonly #stop = new AbortController();
  #signals: StopSignals | undefined;
  #options: GlobalOptions;
  #reporter: Reporter;
  #pipeBroken = false;
  #outputFailure: LandropicError | undefined;

  constructor(handlers: HandlerTable, host: Host, guessed: GlobalOptions) {
    this.#handlers = handlers;
    this.#host = host;
    this.#runId = host.newRunId();
    this.#stdin = new LineInput(host.stdin);
    this.#output = new Output(host.stdout, host.stderr, {
      onBrokenPipe: () => this.#onBrokenPipe(),
      onFailure: (error) => this.#onOutputFailure(error),
    });
    this.#options = guessed;
    this.#reporter = this.#createReporter(undefined);
  }

  async run(args: readonly string[]): Promise<number> {
    let code = EXIT_OK;
    try {
      await this.#runLine(args);
      this.#reporter.flush();
      if (this.#outputFailure !== undefined) throw this.#outputFailure;
    } catch (error) {
      code = this.#fail(error);
    }
    return this.#signals?.exitCode ?? code;
  }

  [Symbol.dispose](): void {
    this.#signals?.[Symbol.dispose]();
  }

  async #runLine(args: readonly string[]): Promise<void> {
    const { columns, stdout } = this.#host;
    const line = parseLine(args, {
      width: Math.min(columns(), HELP_COLUMNS_MAX),
      color: this.#options.color && stdout.isTerminal,
    });
    if (line.kind === "text") return this.#output.outAtOnce(line.text);
    const beforeExit = () => this.#output.status("");
    this.#signals = new StopSignals(this.#host.signals, this.#stop, beforeExit);
    const command = await this.#build(line.spec, line.operands, line.occurrences);
    this.#reporter = this.#createReporter(command);
    const context = this.#createContext();
    if (line.spec.usesHome) createHome(context.paths, this.#host.isWindows);
    const handler = await this.#loadHandler(command);
    await handler(command, context);
  }

  /** Reads every source of values; also learns how to talk, for errors that come later. */
  async #build(
    spec: CommandSpec<Command>,
    operands: readonly string[],
    occurrences: readonly Occurrence[],
  ): Promise<Command> {
    const { environment, isWindows } = this.#host;
    const cwd = this.#host.cwd();
    const settings: ReadonlyMap<string, Setting> = spec.usesHome
      ? readSettings(findHome(environment, cwd, isWindows).configDir, spec, COMMANDS)
      : new Map();
    const flags = new FlagValues([...spec.flags, ...GLOBAL_FLAGS], {
      occurrences,
      environment,
      settings,
    });
    const options = readGlobalOptions(flags, forbidsColor(environment));
    this.#options = { ...options, json: options.json && spec.plainOutput !== true };
    this.#reporter = this.#createReporter(undefined);
    const readLine = (prompt: string) => this.#ask(prompt);
    return await spec.build(commandInput(spec, { operands, flags, environment, cwd, readLine }));
  }

  async #loadHandler(command: Command): Promise<Handler<Command>> {
    const load = this.#handlers[command.command];
    if (load === undefined) {
      throw new LandropicError("failed", `this build has no command "${command.command}"`);
    }
    // The table pairs each name with the handler of that command, which the compiler cannot follow
    // through a name known only at run time.
    return await load() as Handler<Command>;
  }

  #createReporter(command: Command | undefined): Reporter {
    const { clock, columns, stderr, stdout } = this.#host;
    const { json, color, verbosity, logFormat } = this.#options;
    const output = this.#output;
    const sync = command?.command === "sync" ? command : undefined;
    if (json) {
      return new JsonReporter({
        output,
        clock,
        run: this.#runId,
        stacks: verbosity >= 2,
        endsWithSummary: sync !== undefined,
      });
    }
    return new TextReporter({
      output,
      clock,
      columns,
      verbosity,
      style: {
        stdout: createStyle(color && stdout.isTerminal),
        stderr: createStyle(color && stderr.isTerminal),
      },
      listsPeers: command?.command === "peers list",
      itemize: sync?.itemize ?? false,
      dryRun: sync?.dryRun ?? false,
      progress: stderr.isTerminal && verbosity >= 0,
      failureLogger: logFormat === "json" ? this.#createLogger() : undefined,
    });
  }

  #createLogger(): StderrLogger {
    const { logFormat: format, verbosity } = this.#options;
    const { clock } = this.#host;
    return new StderrLogger({ output: this.#output, clock, run: this.#runId, format, verbosity });
  }

  #createContext(): CliContext {
    const { environment, isWindows, clock, stdout, stderr } = this.#host;
    const cwd = this.#host.cwd();
    return {
      reporter: this.#reporter,
      logger: this.#createLogger(),
      signal: this.#stop.signal,
      get paths() {
        return findHome(environment, cwd, isWindows);
      },
      run: this.#runId,
      clock,
      stdin: this.#stdin,
      terminal: {
        stdout: stdout.isTerminal,
        stderr: stderr.isTerminal,
        color: this.#options.color && stdout.isTerminal,
      },
      confirm: (question) => this.#confirm(question),
    };
  }

  async #confirm(question: string): Promise<boolean> {
    if (this.#options.yes) return true;
    if (!this.#stdin.isTerminal) return false;
    return /^y(es)?$/i.test((await this.#ask(`${question} [y/N] `)).trim());
  }

  /** Reads a line, with a prompt where a person is typing; a signal ends the wait. */
  async #ask(prompt: string): Promise<string> {
    if (this.#stdin.isTerminal) this.#output.err(prompt);
    return await orAborted(this.#stdin.readLine(), this.#stop.signal);
  }

  #fail(error: unknown): number {
    // Whoever closed the pipe did not want to hear more, so not about that either.
    if (this.#pipeBroken) return EXIT_SIGNAL.SIGPIPE;
    const failure = describeFailure(this.#outputFailure ?? error);
    this.#reporter.fail(failure);
    this.#reporter.flush();
    return EXIT_CODE[failure.code];
  }

  #onBrokenPipe(): void {
    this.#pipeBroken = true;
    this.#stop.abort(new LandropicError("interrupted", "the reader of stdout is gone"));
  }

  #onOutputFailure(error: unknown): void {
    const message = `Cannot write to stdout: ${messageOf(error)}`;
    this.#outputFailure = new LandropicError("storage", message, undefined, error);
    this.#stop.abort(this.#outputFailure);
  }
}

/**
 * How to talk before the line is understood: mistakes in it have to be reported in some form.
 */
function guessOptions(args: readonly string[], environment: Environment): GlobalOptions {
  const end = args.indexOf("--");
  const flags = end < 0 ? args : args.slice(0, end);
  const on = (name: string, opposite: string, otherwise: boolean) => {
    const last = flags.findLast((arg) => arg === name || arg === opposite);
    return last === undefined ? otherwise : last === name;
  };
  return {
    json: on("--json", "--no-json", /^(1|true|yes|on)$/i.test(environment["LANDROPIC_JSON"] ?? "")),
    verbosity: flags.some((arg) => /^-v{2,}$/.test(arg)) ? 2 : 0,
    logFormat: "text",
    color: on("--color", "--no-color", !forbidsColor(environment)),
    yes: false,
  };
}

/** https://no-color.org, and terminals that can do nothing but text. */
function forbidsColor(environment: Environment): boolean {
  return (environment["NO_COLOR"] ?? "") !== "" || environment["TERM"] === "dumb";
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Wider help is harder to read. */
const HELP_COLUMNS_MAX = 100;
