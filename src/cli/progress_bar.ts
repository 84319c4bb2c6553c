/** The progress bar: which parts fit, how they look, and how often it is redrawn. */
import type { ProgressEvent } from "./events.ts";
import { displayWidth } from "./table.ts";
import { formatBytes, formatRate } from "./units.ts";

/** Least time between two redraws, so that there are about 10 a second. */
export const BAR_INTERVAL_MS = 100;

/** Decides when the bar is drawn anew. */
export class ProgressBar {
  #drawnAtMs = -Infinity;

  /**
   * @param nowMs Monotonic.
   * @param columns Width of the terminal now.
   * @returns The line to show, or `undefined` where it is too early for another.
   */
  update(progress: ProgressEvent, nowMs: number, columns: number): string | undefined {
    if (nowMs - this.#drawnAtMs < BAR_INTERVAL_MS) return undefined;
    this.#drawnAtMs = nowMs;
    return renderProgress(progress, columns);
  }
}

/**
 * Draws one line of ASCII, always narrower than the terminal so that it never wraps:
 * ` 45% [=========>           ] 1.21 GB of 2.70 GB  85.0 MB/s  0:18 left  120 of 400 files`.
 * Where that is too wide the parts at the end go first; the bar takes what room the parts leave.
 */
export function renderProgress(progress: ProgressEvent, columns: number): string {
  const { files, totalFiles, bytes, totalBytes, rate } = progress;
  const fraction = fractionDone(progress);
  const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
  const parts = [
    `${formatBytes(bytes)} of ${formatBytes(Math.max(bytes, totalBytes))}`,
    formatRate(rate),
    formatEta(totalBytes - bytes, rate),
    `${files} of ${Math.max(files, totalFiles)} files`,
  ];
  const room = columns - 1;
  while (parts.length > 0 && widthOf(percent, parts) > room) parts.pop();
  const free = room - widthOf(percent, parts) - BAR_FRAME_WIDTH;
  const bar = free >= BAR_WIDTH_MIN ? ` ${drawBar(fraction, Math.min(free, BAR_WIDTH_MAX))}` : "";
  return (percent + bar + parts.map((part, i) => (i === 0 ? " " : "  ") + part).join(""))
    .slice(0, Math.max(0, room));
}

/** Time left as `m:ss` or `h:mm:ss`, or dashes where nobody knows. */
export function formatEta(bytesLeft: number, rate: number): string {
  const seconds = Math.ceil(Math.max(0, bytesLeft) / rate);
  if (!(rate > 0) || seconds >= ETA_SECONDS_MAX) return "-:-- left";
  const two = (value: number) => String(value).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  const text = minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
  return `${text} left`;
}

function fractionDone({ files, totalFiles, bytes, totalBytes }: ProgressEvent): number {
  const fraction = totalBytes > 0 ? bytes / totalBytes : totalFiles > 0 ? files / totalFiles : 0;
  return Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
}

function widthOf(percent: string, parts: readonly string[]): number {
  return parts.reduce((width, part, i) => width + displayWidth(part) + (i === 0 ? 1 : 2), 0) +
    percent.length;
}

function drawBar(fraction: number, width: number): string {
  const filled = Math.floor(fraction * width);
  const head = filled < width ? ">" : "";
  return `[${"=".repeat(filled)}${head}${" ".repeat(Math.max(0, width - filled - 1))}]`;
}

const BAR_WIDTH_MIN = 8;
const BAR_WIDTH_MAX = 40;
/** Two brackets and the blank in front. */
const BAR_FRAME_WIDTH = 3;
/** Four days; beyond it a guess is noise. */
const ETA_SECONDS_MAX = 4 * 86_400;
