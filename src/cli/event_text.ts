/** How each event reads: the words and lines of text output. */
import { escapePath, escapeText } from "./escape.ts";
import type {
  BenchEvent,
  CheckEvent,
  ComparedEvent,
  ConflictEvent,
  DeviceEvent,
  FileErrorEvent,
  ItemEvent,
  PairingEvent,
  PeerEvent,
  PeerStatusEvent,
  PlanEvent,
  SessionEndEvent,
  StatusEvent,
  SummaryFields,
  VerifiedEvent,
} from "./events.ts";
import type { Style } from "./style.ts";
import { formatTable } from "./table.ts";
import { formatBytes, formatCount, formatRate, formatSeconds } from "./units.ts";

/**
 * The itemize line: `<action><direction><type> <size> <path>`, with `old -> new` for a rename and
 * the reason in parentheses where there is one. A dry run prints the same lines as the real run.
 */
export function itemLine(event: ItemEvent, style: Style): string {
  const { action, direction, type, bytes, path, from, reason } = event;
  const paths = from === undefined
    ? escapePath(path)
    : `${escapePath(from)} -> ${escapePath(path)}`;
  const why = reason === undefined ? "" : ` (${escapeText(reason)})`;
  return `${ITEM_COLORS[action](style)(`${action}${direction}${type}`)} ${bytes} ${paths}${why}`;
}

/** What a sync is going to do, in a sentence. */
export function planText(plan: PlanEvent, dryRun: boolean): string {
  const upTo = plan.compare > 0 ? "up to " : "";
  const parts = [
    plan.send > 0 ? `send ${upTo}${plan.send}` : "",
    plan.receive > 0 ? `receive ${upTo}${plan.receive}` : "",
    plan.rename > 0 ? `rename ${plan.rename}` : "",
    plan.delete > 0 ? `delete ${plan.delete}` : "",
  ].filter((part) => part !== "");
  const conflicts = plan.conflicts > 0 ? `; ${formatCount(plan.conflicts, "conflict")}` : "";
  if (parts.length === 0 && plan.adjust > 0) parts.push(`change ${adjustments(plan.adjust)}`);
  if (parts.length === 0 && conflicts === "") return "Nothing to do: both sides are the same.";
  const doing = parts.length === 0 ? "move nothing" : parts.join(", ");
  return `${dryRun ? "Would" : "Going to"} ${doing} (${formatBytes(plan.bytes)})${conflicts}.`;
}

/** What a sync did, in one or two lines. */
export function summaryLines(summary: SummaryFields, dryRun: boolean, style: Style): string[] {
  const { seconds, errors, conflicts } = summary;
  const head = errors > 0
    ? style.red(dryRun ? "Dry run, with errors" : "Done with errors")
    : conflicts > 0
    ? style.yellow(dryRun ? "Dry run, with conflicts" : "Done with conflicts")
    : summary.ok
    ? style.green(dryRun ? "Dry run: nothing was changed" : "Done")
    : style.red("Not finished");
  const lines = [`${head}: ${changes(summary, dryRun)} in ${formatSeconds(seconds)}.`];
  const moved = summary.bytesSent + summary.bytesReceived;
  if (moved > 0) lines.push(trafficLine(summary));
  return lines;
}

function changes(summary: SummaryFields, dryRun = false): string {
  const { sent, received, deleted, renamed, adjusted, conflicts, errors, files } = summary;
  const parts = [
    [sent, "sent"],
    [received, "received"],
    [deleted, "deleted"],
    [renamed, "renamed"],
  ].filter(([count]) => (count as number) > 0).map(([count, word]) => `${count} ${word}`);
  if (conflicts > 0) parts.push(formatCount(conflicts, "conflict"));
  if (errors > 0) parts.push(`${errors} failed`);
  if (parts.length === 0 && adjusted > 0) parts.push(`${adjustments(adjusted)} changed`);
  if (parts.length > 0) return parts.join(", ");
  return `${formatCount(files, "file")}${dryRun ? "" : ", no changes"}`;
}

function adjustments(count: number): string {
  return formatCount(count, "folder or attribute", "folders or attributes");
}

function trafficLine(summary: SummaryFields): string {
  const moved = summary.bytesSent + summary.bytesReceived;
  const wire = summary.wireSent + summary.wireReceived;
  const reused = summary.bytesReused > 0 ? `, ${formatBytes(summary.bytesReused)} reused` : "";
  const rate = summary.seconds > 0 ? `, ${formatRate(moved / summary.seconds)}` : "";
  return `${formatBytes(moved)} of files${reused}; ${formatBytes(wire)} over the network${rate}.`;
}

/** A conflict and what was kept. */
export function conflictText({ path, kept, copy }: ConflictEvent): string {
  const where = copy === undefined ? "" : `, the other one as ${escapePath(copy)}`;
  const what = kept === "both"
    ? `both versions kept${where}`
    : `kept the ${kept === "local" ? "version of this device" : "version of the peer"}${where}`;
  return `conflict: ${escapePath(path)}: ${what}`;
}

/** A file that could not be synced or verified. */
export function fileErrorText({ path, message, code }: FileErrorEvent): string {
  return `error: ${escapePath(path)}: ${escapeText(message)} (${escapeText(code)})`;
}

/** The code and the invitation that a waiting device shows. */
export function pairingLines(event: PairingEvent, style: Style): string[] {
  const code = escapeText(event.code);
  return [
    `Code:        ${style.bold(code)}`,
    `Invitation:  ${escapeText(event.invitation)}`,
    "",
    "On the other device, run one of",
    `  landropic pair ${code}`,
    "  landropic pair INVITATION",
    `before ${escapeText(event.expires)}. If a code does not find this device, add`,
    `--address HOST:${event.port}, with an address of this device for HOST.`,
  ];
}

/** Trusted peers as a table. */
export function peersTable(events: readonly PeerEvent[]): string[] {
  return formatTable(
    ["NAME", "ID", "LAST ADDRESS", "LAST SEEN", "ONLINE"],
    events.map(({ name, id, address, lastSeen, online }) =>
      [name, id, address ?? "-", lastSeen ?? "never", online ? "yes" : "no"].map(escapeText)
    ),
  );
}

/** Devices of the local network as a table. */
export function devicesTable(events: readonly DeviceEvent[]): string[] {
  return formatTable(
    ["NAME", "ID", "ADDRESS", "TRUSTED", "PAIRING"],
    events.map(({ name, id, address, trusted, slot }) =>
      [
        name || "-",
        id,
        address,
        trusted ? "yes" : "no",
        slot === undefined ? "-" : `code ${slot}`,
      ]
        .map(escapeText)
    ),
  );
}

/** The end of a session of `serve`. */
export function sessionEndText(event: SessionEndEvent): string {
  const { peer, share, seconds, direction, files, ok, errors, conflicts } = event;
  const how = errors > 0
    ? "done with errors"
    : conflicts > 0
    ? "done with conflicts"
    : !ok
    ? "not finished"
    : direction === "compare"
    ? "compared"
    : "done";
  const what = direction === "compare" ? formatCount(files, "file") : changes(event);
  const moved = event.bytesSent + event.bytesReceived > 0;
  const traffic = moved ? `; ${trafficLine(event).replace(/\.$/, "")}` : "";
  return `${escapeText(peer)}: ${escapeText(share)}: ${how}: ${what} in ${
    formatSeconds(seconds)
  }${traffic}`;
}

/** True if a sync did anything that somebody may want to hear of. */
export function isNoteworthy(summary: SummaryFields): boolean {
  const { ok, sent, received, deleted, renamed, adjusted } = summary;
  return !ok || sent + received + deleted + renamed + adjusted > 0;
}

/** This device's state. */
export function statusLines(event: StatusEvent): string[] {
  const folders = event.configDir === event.stateDir
    ? [["State", event.stateDir] as const]
    : [["Config", event.configDir] as const, ["State", event.stateDir] as const];
  return keyValueLines([
    ["Name", event.name],
    ["Device id", event.id],
    ...folders,
    ["Index", formatBytes(event.indexBytes)],
    ["Peers", String(event.peers)],
  ]);
}

/** The connection to a peer. */
export function peerStatusLines(event: PeerStatusEvent): string[] {
  const lost = event.packetsSent > 0 ? 100 * event.packetsLost / event.packetsSent : 0;
  return keyValueLines([
    ["Peer", event.peer],
    ["Device id", event.id],
    ["Address", event.address],
    ["Round trip", formatMs(event.rttMs)],
    ["Path MTU", `${event.pathMtu} bytes`],
    ["Packets", `${event.packetsSent} sent, ${event.packetsLost} lost (${lost.toFixed(1)}%)`],
    ...event.shares.map(({ name, access }) =>
      ["Share", `${name} (${access === "read" ? "read only" : "read and write"})`] as const
    ),
  ]);
}

/** The end of `verify`. */
export function verifiedText(event: VerifiedEvent): string {
  const { files, bytes, errors, seconds, learned } = event;
  const found = errors === 0 ? "all as synced" : `${errors} not as synced`;
  const more = learned === 0 ? "" : ` (${learned} read for the first time)`;
  return `${formatCount(files, "file")}, ${formatBytes(bytes)}: ${found}${more}, in ${
    formatSeconds(seconds)
  }.`;
}

/** The end of `verify PEER`. */
export function comparedLines(event: ComparedEvent): string[] {
  const { files, bytes, differences, errors, seconds } = event;
  const unread = errors > 0 ? `, ${errors} unreadable` : "";
  const found = differences === 0 && errors === 0
    ? "the same on both sides"
    : `${formatCount(differences, "difference")}${unread}`;
  return [
    ...keyValueLines([
      ["This folder", event.root],
      [`${event.peer}:${event.share}`, event.peerRoot],
    ]),
    `${formatCount(files, "file")}, ${formatBytes(bytes)}: ${found}, in ${formatSeconds(seconds)}.`,
  ];
}

/** One check of `doctor`, and what to do where it failed. */
export function checkLines({ name, ok, message, hint }: CheckEvent, style: Style): string[] {
  const mark = ok ? style.green("ok  ") : style.red("FAIL");
  const line = `${mark}  ${escapeText(name)}: ${escapeText(message)}`;
  return hint === null ? [line] : [line, `      hint: ${escapeText(hint)}`];
}

/** What `bench` measured. */
export function benchLines(event: BenchEvent): string[] {
  return keyValueLines([
    ["Peer", event.peer],
    ["Address", event.address],
    ["Handshake", formatMs(event.handshakeMs)],
    ["Round trip", formatMs(event.rttMs)],
    ["Path MTU", `${event.pathMtu} bytes`],
    ["Upload", formatRate(event.uploadRate)],
    ["Download", formatRate(event.downloadRate)],
  ]);
}

/** `Key:  value` lines with the values below each other. Values are escaped here. */
export function keyValueLines(pairs: readonly (readonly [key: string, value: string])[]): string[] {
  const width = Math.max(...pairs.map(([key]) => key.length));
  return pairs.map(([key, value]) => `${`${key}:`.padEnd(width + 3)}${escapeText(value)}`);
}

/** Milliseconds with two or three digits that matter: `0.21 ms`, `48.3 ms`, `1520 ms`. */
export function formatMs(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}

const ITEM_COLORS: Readonly<
  Record<ItemEvent["action"], (style: Style) => (text: string) => string>
> = {
  "+": (style) => style.green,
  M: (style) => style.cyan,
  m: (style) => style.cyan,
  R: (style) => style.cyan,
  "-": (style) => style.red,
  C: (style) => style.yellow,
  "!": (style) => style.red,
  s: (style) => style.dim,
};
