import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { escapeLines, escapeText } from "./escape.ts";
import {
  benchLines,
  checkLines,
  comparedLines,
  conflictText,
  devicesTable,
  fileErrorText,
  formatMs,
  isNoteworthy,
  itemLine,
  keyValueLines,
  pairingLines,
  peersTable,
  peerStatusLines,
  planText,
  sessionEndText,
  statusLines,
  summaryLines,
  verifiedText,
} from "./event_text.ts";
import type { CliEvent, DeviceEvent, IdEvent, PeerEvent, ProgressEvent } from "./events.ts";
import type { Failure } from "./failure.ts";
import type { Output } from "./output.ts";
import { ProgressBar } from "./progress_bar.ts";
import type { Reporter } from "./reporter.ts";
import type { Style } from "./style.ts";

/** What the reporter of text output is made with. */
export interface TextReporterOptions {
  readonly output: Output;
  readonly clock: Clock;
  /** How stdout and stderr are coloured. */
  readonly style: { readonly stdout: Style; readonly stderr: Style };
  /** -1 quiet, 0 normal, 1 and 2 verbose. */
  readonly verbosity: number;
  /** Peers are what was asked for, and not what a change to them has made. */
  readonly listsPeers: boolean;
  /** Print an itemize line for each change. */
  readonly itemize: boolean;
  /** Nothing is changed, and the texts say so. */
  readonly dryRun: boolean;
  /** Draw a progress bar; only where stderr is a terminal. */
  readonly progress: boolean;
  /** Width of the terminal now. */
  readonly columns: () => number;
  /** Takes failures in place of the two lines on stderr, where stderr is a stream of JSON. */
  readonly failureLogger: Logger | undefined;
}

/**
 * Writes events as text for people: results on stdout; remarks, conflicts, errors and the progress
 * bar on stderr. With `--quiet` remain errors, conflicts and what was asked for.
 */
export class TextReporter implements Reporter {
  readonly #options: TextReporterOptions;
  readonly #bar = new ProgressBar();
  /** Rows of a table that is printed once its last row is known. */
  #peers: PeerEvent[] = [];
  #devices: DeviceEvent[] = [];
  /** The peer under whose heading lines go now. */
  #headed: string | undefined;

  constructor(options: TextReporterOptions) {
    this.#options = options;
  }

  emit(event: CliEvent): void {
    const { style, dryRun, itemize } = this.#options;
    if (event.event === "progress") return this.#drawBar(event);
    if (event.event !== "peer" && event.event !== "device") this.#endTables();
    if (HAS_HEADING.has(event.event)) this.#head((event as { peer?: string }).peer);
    switch (event.event) {
      case "id":
        return this.#lines(idLines(event));
      case "pairing":
        return this.#lines(pairingLines(event, style.stdout));
      case "paired":
        return this.#remark([
          `Paired with ${escapeText(event.name)} (${escapeText(event.id)}, ${
            escapeText(event.address)
          }).`,
        ]);
      case "peer":
        if (this.#options.listsPeers || this.#options.verbosity >= 0) this.#peers.push(event);
        return;
      case "device":
        return void this.#devices.push(event);
      case "listening":
        return this.#remark([
          `Serving ${event.shares.map(escapeText).join(", ")} on ${
            escapeText(withPort(event.address, event.port))
          }.`,
          ...(event.metrics === undefined ? [] : [`Metrics: ${escapeText(event.metrics)}`]),
        ]);
      case "session-start":
        // A peer that watches comes often, mostly to find that nothing has changed.
        if (event.watch && this.#options.verbosity === 0) return;
        return this.#remark([
          `${escapeText(event.peer)}: ${
            escapeText(event.share)
          }: sync started (${event.direction})`,
        ]);
      case "session-end":
        if (event.watch && this.#options.verbosity === 0 && !isNoteworthy(event)) return;
        return this.#remark([sessionEndText(event)]);
      case "connected":
        if (this.#options.verbosity > 0) {
          this.note(
            `Connected to ${event.peer} at ${event.address}, ${formatMs(event.rttMs)} away.`,
          );
        }
        return;
      case "plan":
        return this.#remark([planText(event, dryRun)]);
      case "item":
        return itemize ? this.#lines([itemLine(event, style.stdout)]) : undefined;
      case "conflict":
        return this.#options.output.err(style.stderr.yellow(conflictText(event)) + "\n");
      case "file-error":
        return this.#options.output.err(style.stderr.red(fileErrorText(event)) + "\n");
      case "summary":
        this.#options.output.status("");
        return this.#remark(summaryLines(event, dryRun, style.stdout));
      case "disconnected":
        return this.note(`"${event.peer}" is gone (${event.message}); waiting for it.`);
      case "skipped":
        return this.#remark([
          `${escapeText(event.peer)} is left out: ${escapeText(event.message)}`,
        ]);
      case "status":
        return this.#lines(statusLines(event));
      case "peer-status":
        return this.#lines(peerStatusLines(event));
      case "verified":
        this.#options.output.status("");
        return this.#remark([verifiedText(event)]);
      case "compared":
        this.#options.output.status("");
        return this.#lines(comparedLines(event));
      case "check":
        return this.#lines(checkLines(event, style.stdout));
      case "bench":
        return this.#lines(benchLines(event));
      case "error":
        return this.fail({ ...event, hint: event.hint ?? undefined, stack: "" });
    }
  }

  note(text: string): void {
    if (this.#options.verbosity < 0) return;
    this.#endTables();
    this.#options.output.err(`${escapeText(text)}\n`);
  }

  print(text: string): void {
    this.#endTables();
    this.#options.output.out(text.endsWith("\n") ? text : `${text}\n`);
  }

  /** What was done is on the screen already. */
  handleUnfinished(): void {}

  fail({ code, message, hint, stack }: Failure): void {
    const { output, style, verbosity, failureLogger } = this.#options;
    const shownStack = verbosity >= 2 && stack !== "" ? stack : undefined;
    this.#endTables();
    if (failureLogger !== undefined) {
      failureLogger.log("error", message, { code, hint, stack: shownStack });
      return;
    }
    output.err(failureLines(message, hint, style.stderr));
    if (shownStack !== undefined) output.err(escapeLines(shownStack));
  }

  flush(): void {
    this.#endTables();
    this.#options.output.status("");
    this.#options.output.flush();
  }

  #drawBar(event: ProgressEvent): void {
    const { progress, clock, columns, output } = this.#options;
    if (!progress) return;
    const line = this.#bar.update(event, clock.nowMs(), columns());
    if (line !== undefined) output.status(line);
  }

  /** Where several peers are synced with: says whose lines follow. */
  #head(peer: string | undefined): void {
    if (peer === undefined || peer === this.#headed) return;
    this.#headed = peer;
    this.#remark([this.#options.style.stdout.bold(`${escapeText(peer)}:`)]);
  }

  /** What was asked for. */
  #lines(lines: readonly string[]): void {
    for (const line of lines) this.#options.output.out(`${line}\n`);
  }

  /** What is good to know. */
  #remark(lines: readonly string[]): void {
    if (this.#options.verbosity >= 0) this.#lines(lines);
  }

  #endTables(): void {
    if (this.#peers.length > 0) this.#lines(peersTable(this.#peers.splice(0)));
    if (this.#devices.length > 0) this.#lines(devicesTable(this.#devices.splice(0)));
  }
}

/** The lines every failure has: `landropic: …`, and `hint: …` where there is one. */
export function failureLines(message: string, hint: string | undefined, style: Style): string {
  const first = `${style.red("landropic:")} ${escapeText(message)}\n`;
  return hint === undefined ? first : `${first}${style.bold("hint:")} ${escapeText(hint)}\n`;
}

function idLines({ id, name, fingerprint, addresses, nextId, nextFrom }: IdEvent): string[] {
  return keyValueLines([
    ["Device id", id],
    ["Name", name],
    ["Fingerprint", fingerprint],
    ...(nextId === undefined ? [] : [["Next id", `${nextId} (from ${nextFrom})`] as const]),
    ...addresses.map((address) => ["Address", address] as const),
  ]);
}

function withPort(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Events whose lines stand under the name of a peer, where there are several. */
const HAS_HEADING: ReadonlySet<string> = new Set(["plan", "item", "summary"]);
