/** What the command line needs from the process it runs in. */
import { type Clock, systemClock } from "../base/clock.ts";
import type { Environment } from "./flag_values.ts";
import type { InputPort } from "./line_input.ts";
import type { OutputPort } from "./output.ts";
import type { SignalPort } from "./signals.ts";

/** One process; tests make their own. */
export interface Host {
  readonly environment: Environment;
  /** The current folder, absolute. Throws where it was removed. */
  cwd(): string;
  readonly isWindows: boolean;
  readonly stdin: InputPort;
  readonly stdout: OutputPort;
  readonly stderr: OutputPort;
  /** Width of the terminal now; 80 where there is none. */
  columns(): number;
  readonly signals: SignalPort;
  readonly clock: Clock;
  /** A new run id. */
  newRunId(): string;
}

/** The process this runs in. */
export function denoHost(): Host {
  return {
    environment: Deno.env.toObject(),
    cwd: () => Deno.cwd(),
    isWindows: Deno.build.os === "windows",
    stdin: {
      read: (buffer) => Deno.stdin.read(buffer),
      get isTerminal() {
        return Deno.stdin.isTerminal();
      },
    },
    stdout: { writeSync: (b) => Deno.stdout.writeSync(b), isTerminal: Deno.stdout.isTerminal() },
    stderr: { writeSync: (b) => Deno.stderr.writeSync(b), isTerminal: Deno.stderr.isTerminal() },
    columns: terminalColumns,
    signals: {
      listen: listenForSignal,
      exit: (code) => Deno.exit(code),
    },
    clock: systemClock,
    newRunId: () => crypto.getRandomValues(new Uint8Array(8)).toHex(),
  };
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns || COLUMNS_DEFAULT;
  } catch {
    return COLUMNS_DEFAULT;
  }
}

function listenForSignal(signal: "SIGINT" | "SIGTERM", listener: () => void): () => void {
  // Windows has no SIGTERM to listen to.
  if (Deno.build.os === "windows" && signal === "SIGTERM") return () => {};
  Deno.addSignalListener(signal, listener);
  return () => Deno.removeSignalListener(signal, listener);
}

const COLUMNS_DEFAULT = 80;
