/** What the command line needs from the process it runs in. */
import { type Clock, systemClock } from "../base/clock.ts";
import type { Environment } from "./flag_values.ts";
import type { InputPort } from "./line_input.ts";
import type { OutputPort } from "./output.ts";
import type { SignalPort, StopSignal } from "./signals.ts";

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

function listenForSignal(signal: StopSignal, listener: () => void): () => void {
  // Windows has only SIGINT to listen to.
  if (Deno.build.os === "windows" && signal !== "SIGINT") return () => {};
  // Under nohup the end of the terminal is to be no end of the command. The runtime would make it one
  // as soon as any signal is listened to, unless somebody listens to this one.
  isHangupIgnored ??= isIgnored(SIGHUP);
  const heard = signal === "SIGHUP" && isHangupIgnored ? () => {} : listener;
  Deno.addSignalListener(signal, heard);
  return () => Deno.removeSignalListener(signal, heard);
}

/** Found out before any signal is listened to: afterwards none is ignored. */
let isHangupIgnored: boolean | undefined;

/** Whether this process was started to ignore a signal; false where the system does not tell. */
function isIgnored(number: number): boolean {
  try {
    const [, mask] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))!;
    return (BigInt(`0x${mask}`) >> BigInt(number - 1) & 1n) === 1n;
  } catch {
    return false;
  }
}

const SIGHUP = 1;
const COLUMNS_DEFAULT = 80;
