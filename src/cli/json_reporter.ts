import type { Clock } from "../base/clock.ts";
import { escapeLines, type EventPath, safeJson } from "./escape.ts";
import type { CliEvent, SummaryEvent } from "./events.ts";
import type { Failure } from "./failure.ts";
import type { Output } from "./output.ts";
import type { Reporter } from "./reporter.ts";
import { rfc3339 } from "./units.ts";

/** Least time between two `progress` events, so that there are at most 5 a second. */
export const PROGRESS_EVENT_INTERVAL_MS = 200;

/** What the reporter of `--json` is made with. */
export interface JsonReporterOptions {
  readonly output: Output;
  readonly clock: Clock;
  /** The id of this run. */
  readonly run: string;
  /** Print the stack of a failure to stderr. */
  readonly stacks: boolean;
  /** End with a `summary` event also where the command failed before it had one (`sync`). */
  readonly endsWithSummary: boolean;
}

/** Writes each event as one line of JSON to stdout. */
export class JsonReporter implements Reporter {
  readonly #options: JsonReporterOptions;
  readonly #startMs: number;
  #progressAtMs = -Infinity;
  #summarized = false;
  #unfinished: SummaryEvent | undefined;

  constructor(options: JsonReporterOptions) {
    this.#options = options;
    this.#startMs = options.clock.nowMs();
  }

  emit(event: CliEvent, run = this.#options.run): void {
    const { clock, output } = this.#options;
    if (event.event === "progress") {
      const nowMs = clock.nowMs();
      if (nowMs - this.#progressAtMs < PROGRESS_EVENT_INTERVAL_MS) return;
      this.#progressAtMs = nowMs;
    }
    this.#summarized = event.event === "summary";
    output.out(encodeEventLine(event, clock.wallMs(), run));
  }

  note(): void {}

  print(): void {}

  handleUnfinished(done: SummaryEvent): void {
    this.#unfinished = done;
  }

  fail({ code, message, hint, stack }: Failure): void {
    const { stacks, output, endsWithSummary, clock } = this.#options;
    if (stacks) output.err(escapeLines(stack));
    // The summary is the last line of a sync, and it says already that not all went well.
    if (this.#summarized) return;
    this.emit({ event: "error", code, message, hint: hint ?? null });
    if (!endsWithSummary) return;
    const seconds = (clock.nowMs() - this.#startMs) / 1000;
    this.emit(this.#unfinished ?? { ...NOTHING_DONE, seconds });
  }

  flush(): void {
    this.#options.output.flush();
  }
}

/**
 * One event as a line of JSON: `event`, `time`, `run`, then its own fields. Beside a path that is
 * not valid UTF-8 stands the same field with `Base64` after its name, holding its bytes.
 */
export function encodeEventLine(event: CliEvent, wallMs: number, run: string): string {
  const { event: name, ...fields } = event;
  const line: Record<string, unknown> = { event: name, time: rfc3339(wallMs), run };
  for (const [key, value] of Object.entries(fields)) {
    if (value instanceof Uint8Array) addPath(line, key, value);
    else line[key] = value;
  }
  return safeJson(line) + "\n";
}

function addPath(line: Record<string, unknown>, key: string, path: EventPath & Uint8Array): void {
  const text = lossyDecoder.decode(path);
  line[key] = text;
  if (!isUtf8(path)) line[`${key}Base64`] = path.toBase64();
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictDecoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

const NOTHING_DONE: SummaryEvent = {
  event: "summary",
  ok: false,
  sent: 0,
  received: 0,
  deleted: 0,
  renamed: 0,
  adjusted: 0,
  conflicts: 0,
  errors: 0,
  bytesSent: 0,
  bytesReceived: 0,
  bytesReused: 0,
  wireSent: 0,
  wireReceived: 0,
  files: 0,
  seconds: 0,
  connections: 0,
};

const lossyDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
