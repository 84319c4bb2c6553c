/** A process made of arrays, and handlers that remember what they were called with. */
import type { Command } from "../../src/cli/commands/all.ts";
import { COMMANDS } from "../../src/cli/commands/all.ts";
import { commandInput } from "../../src/cli/command_input.ts";
import type { CommandSpec } from "../../src/cli/command_spec.ts";
import { parseSettings } from "../../src/cli/config_file.ts";
import { FlagValues } from "../../src/cli/flag_values.ts";
import { GLOBAL_FLAGS } from "../../src/cli/global_flags.ts";
import type { CliContext, HandlerTable } from "../../src/cli/handlers.ts";
import type { Host } from "../../src/cli/host.ts";
import type { OutputPort } from "../../src/cli/output.ts";
import { parseLine } from "../../src/cli/program.ts";
import type { StopSignal } from "../../src/cli/signals.ts";
import { runCli } from "../../src/cli/run_cli.ts";

export class FakeOutput implements OutputPort {
  isTerminal = false;
  /** Thrown by the next writes, while set. */
  failure: Error | undefined;
  /** Bytes a write takes at most. */
  writeBytesMax = Infinity;
  writes = 0;
  #bytes: number[] = [];

  writeSync(bytes: Uint8Array): number {
    this.writes++;
    if (this.failure !== undefined) throw this.failure;
    const taken = bytes.subarray(0, this.writeBytesMax);
    for (const byte of taken) this.#bytes.push(byte);
    return taken.length;
  }

  get text(): string {
    return new TextDecoder().decode(new Uint8Array(this.#bytes));
  }

  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }

  get events(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line));
  }
}

export class FakeClock {
  ms = 0;
  nowMs(): number {
    return this.ms;
  }
  wallMs(): number {
    return Date.UTC(2026, 0, 2, 3, 4, 5) + this.ms;
  }
}

export class FakeHost implements Host {
  environment: Record<string, string> = {};
  isWindows = false;
  stdinText = "";
  readonly stdout = new FakeOutput();
  readonly stderr = new FakeOutput();
  readonly clock = new FakeClock();
  readonly exits: number[] = [];
  readonly listeners = new Map<StopSignal, () => void>();
  stdinIsTerminal = false;
  width = 80;

  readonly stdin = {
    read: (buffer: Uint8Array): Promise<number | null> => {
      if (this.stdinText === "") return Promise.resolve(null);
      const bytes = new TextEncoder().encode(this.stdinText);
      const count = Math.min(bytes.length, buffer.length);
      buffer.set(bytes.subarray(0, count));
      this.stdinText = new TextDecoder().decode(bytes.subarray(count));
      return Promise.resolve(count);
    },
    isTerminal: false,
  };

  readonly signals = {
    listen: (signal: StopSignal, listener: () => void) => {
      this.listeners.set(signal, listener);
      return () => void this.listeners.delete(signal);
    },
    exit: (code: number) => void this.exits.push(code),
  };

  cwd = () => "/work";
  columns = () => this.width;
  newRunId = () => "run1";
}

/** A handler for every command, which remembers the command and then does `act`. */
export function recordingHandlers(
  act: (command: Command, context: CliContext) => Promise<void> | void = () => {},
): { handlers: HandlerTable; commands: Command[] } {
  const commands: Command[] = [];
  const handler = (command: Command, context: CliContext) => {
    commands.push(command);
    return act(command, context);
  };
  const entries = COMMANDS.map((spec) => [spec.name, () => Promise.resolve(handler)]);
  return { handlers: Object.fromEntries(entries) as HandlerTable, commands };
}

/** Runs a line with recording handlers in a home of its own. */
export async function runRecorded(
  args: readonly string[],
  host: FakeHost,
  act?: (command: Command, context: CliContext) => Promise<void> | void,
): Promise<{ code: number; commands: Command[] }> {
  const home = await Deno.makeTempDir();
  host.environment = { LANDROPIC_HOME: home, ...host.environment };
  try {
    const { handlers, commands } = recordingHandlers(act);
    return { code: await runCli(args, handlers, host), commands };
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** The sources of values besides the command line. */
export interface BuildOptions {
  readonly environment?: Record<string, string>;
  /** The text of config.json. */
  readonly config?: string;
  readonly stdin?: string;
  /** The current folder; `/work` if left out. */
  readonly cwd?: string;
}

/** Parses and builds one line, without running it. */
export async function build(line: string | string[], options: BuildOptions = {}): Promise<Command> {
  const args = Array.isArray(line) ? line : line.split(" ").filter((word) => word !== "");
  const parsed = parseLine(args, { width: 80, color: false });
  if (parsed.kind === "text") throw new Error(`a text: ${parsed.text}`);
  const spec: CommandSpec<Command> = parsed.spec;
  const environment = options.environment ?? {};
  const settings = parseSettings(options.config ?? "{}", "config.json", spec, COMMANDS);
  const flags = new FlagValues([...spec.flags, ...GLOBAL_FLAGS], {
    occurrences: parsed.occurrences,
    environment,
    settings,
  });
  const { operands } = parsed;
  const readLine = () => Promise.resolve(options.stdin ?? "");
  return await spec.build(
    commandInput(spec, {
      operands,
      flags,
      environment,
      cwd: options.cwd ?? "/work",
      readLine,
    }),
  );
}
