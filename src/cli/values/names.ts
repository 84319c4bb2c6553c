import { hasUnsafeCharacter } from "../escape.ts";
import { BadValue } from "./bad_value.ts";

/** The most characters a peer's or share's name has; device ids with their dashes fit too. */
export const NAME_LENGTH_MAX = 64;

/** The share of `landropic serve DIR`, and of `sync` where no other is named. */
export const SHARE_DEFAULT = "default";

/**
 * Checks a name for a peer or a share as the user chose it.
 *
 * Allowed is what can be typed, printed and parsed back: no control or bidirectional characters,
 * none of `: = / \ ,`, no dash, dot or blank in front and no blank at the end.
 *
 * @param kind `peer` or `share`, for the message.
 * @throws {BadValue} naming the rule that was broken.
 */
export function parseName(kind: "peer" | "share"): (text: string) => string {
  return (text) => {
    const wrong = whatIsWrong(text);
    if (wrong !== undefined) throw new BadValue(`not a ${kind} name: ${wrong}`);
    return text;
  };
}

/**
 * Checks the way a user points at a peer: its name, its device id, or the beginning of one.
 *
 * Whether it means exactly one trusted peer is for whoever holds the trust store.
 *
 * @throws {BadValue} where the text can be none of these, say a path.
 */
export function parsePeerRef(text: string): string {
  if (looksLikePath(text)) {
    throw new BadValue(
      "that is a path, not a peer",
      "the peer comes first, then the folder: landropic sync PEER DIR",
    );
  }
  return parseName("peer")(text);
}

/** A peer, and one of its shares where the user named one. */
export interface PeerShare {
  readonly peer: string;
  readonly share: string | undefined;
}

/**
 * Parses `PEER[:SHARE]`. Neither part can hold a colon.
 *
 * @throws {BadValue} on an empty part, and on paths (`C:\photos`, `./photos`) given as the peer.
 */
export function parsePeerShare(text: string): PeerShare {
  const colon = text.indexOf(":");
  if (colon < 0 || looksLikePath(text)) return { peer: parsePeerRef(text), share: undefined };
  if (colon === 0) throw new BadValue("the peer before the colon is missing");
  if (colon === text.length - 1) throw new BadValue("the share after the colon is missing");
  return {
    peer: parsePeerRef(text.slice(0, colon)),
    share: parseName("share")(text.slice(colon + 1)),
  };
}

/** One folder to serve, as the command line names it. */
export interface ShareSpec {
  readonly name: string;
  /** As typed; not yet made absolute. */
  readonly dir: string;
  readonly readOnly: boolean;
}

/**
 * Parses `NAME=DIR[:ro]`.
 *
 * DIR may hold `=` and `:` (`docs=C:\docs`, `a=/mnt/a:b`). Only a final `:ro` is special; a folder
 * whose own name ends so is written with `:rw` after it.
 *
 * @throws {BadValue} on a missing name or folder.
 */
export function parseShareSpec(text: string): ShareSpec {
  const equals = text.indexOf("=");
  if (equals <= 0) {
    throw new BadValue("expected NAME=DIR or NAME=DIR:ro", "for one share, give DIR alone");
  }
  const name = parseName("share")(text.slice(0, equals));
  const rest = text.slice(equals + 1);
  const suffix = /:(ro|rw)$/.exec(rest);
  const dir = suffix === null ? rest : rest.slice(0, -suffix[0].length);
  if (dir === "") throw new BadValue("the folder after = is missing");
  return { name, dir, readOnly: suffix?.[1] === "ro" };
}

/**
 * Checks that a text has the form of a device id: 52 base32 characters and 4 check characters, in
 * any case, with or without dashes or blanks. The check characters themselves are verified where
 * the id is decoded.
 *
 * @returns The text as typed.
 * @throws {BadValue} on another length or alphabet.
 */
export function parseDeviceIdText(text: string): string {
  if (!/^[A-Z2-7018]{56}$/i.test(text.replace(/[-\s]/g, ""))) {
    throw new BadValue(
      "not a device id: 8 groups of 7 letters and digits",
      "`landropic id` on the other device prints its id",
    );
  }
  return text;
}

function whatIsWrong(text: string): string | undefined {
  if (text === "") return "it is empty";
  if ([...text].length > NAME_LENGTH_MAX) return `it is longer than ${NAME_LENGTH_MAX} characters`;
  if (hasUnsafeCharacter(text)) return "it holds a control or invisible character";
  const forbidden = /[:=/\\,]/.exec(text);
  if (forbidden !== null) return `it holds ${forbidden[0]}`;
  if (/^[-.]/.test(text)) return `it begins with ${text[0]}`;
  if (/^\s|\s$/u.test(text)) return "it begins or ends with a blank";
  return undefined;
}

function looksLikePath(text: string): boolean {
  return /^(\.{0,2}[/\\]|\.{1,2}$|~[/\\]|[A-Za-z]:[/\\])/.test(text) || /^[^:]*[/\\]/.test(text);
}
