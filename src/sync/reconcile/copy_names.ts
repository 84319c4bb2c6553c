import { sha256 } from "../../base/digest.ts";
import { toHex, utf8 } from "../../base/bytes.ts";
import { encodeBase32 } from "../../base/base32.ts";
import { fromHex } from "../../base/bytes.ts";
import type { Entry } from "../../base/tree.ts";
import type { Digest } from "../../base/digest.ts";
import type { VectorMember } from "../../base/version_vector.ts";
import type { Leaf } from "./agreement.ts";
import { isLeaf, likeness } from "./agreement.ts";
import { conflictName } from "./conflict_name.ts";
import { nameKey } from "./name_rules.ts";
import type { DirNode, Item } from "./node.ts";
import { across, type BySide, type Side, SIDES } from "./side.ts";
import type { SideDevice, SideTraits } from "./tree_view.ts";

const SHORT_ID_CHARS = 7;
const VARIANT_HEX_CHARS = 8;

/** A losing version that gets a name of its own. */
export interface Loser {
  readonly item: Item;
  readonly side: Side;
  readonly leaf: Leaf;
  readonly digest: Digest | undefined;
}

/** The name for a conflict copy. */
export interface CopyName {
  readonly name: string;
  /** The very same version lies there already, or will without further ado: no copy is needed. */
  readonly isThere: boolean;
}

/** Names conflict copies alike on every device, and tells which of them exist already. */
export class CopyNames {
  readonly #traits: BySide<SideTraits>;
  readonly #devices: BySide<SideDevice>;
  readonly #shortIdOf: (member: VectorMember) => string | undefined;
  /** Names given so far in a directory. */
  readonly #given = new Map<DirNode, Set<string>>();

  constructor(options: {
    readonly traits: BySide<SideTraits>;
    readonly devices: BySide<SideDevice>;
    readonly shortIdOf?: ((member: VectorMember) => string | undefined) | undefined;
  }) {
    this.#traits = options.traits;
    this.#devices = options.devices;
    this.#shortIdOf = options.shortIdOf ?? (() => undefined);
  }

  /** Finds the name. It is taken from then on. */
  choose(loser: Loser): CopyName {
    const { item, side, leaf } = loser;
    const base = { device: this.#deviceOf(loser), mtimeMs: leaf.mtimeMs };
    const name = item.name(side);
    for (const variant of variantsOf(loser)) {
      const candidate = conflictName(name, { ...base, variant });
      const state = this.#stateOf(candidate, loser);
      if (state === "taken") continue;
      this.#givenIn(item.parent).add(candidate);
      return { name: candidate, isThere: state === "there" };
    }
    throw new Error("no name for a conflict copy");
  }

  /**
   * Who wrote the losing version: as its vector shows, since the side it was found on may only have passed
   * it on, and on another path it would then be named otherwise.
   */
  #deviceOf(loser: Loser): string {
    const { item, side } = loser;
    const lost = item.seen[side];
    const won = item.seen[across(side)];
    const author = lost?.find(({ member, counter }) =>
      !won?.some((other) => other.member === member && other.counter >= counter)
    )?.member;
    if (author === undefined) return this.#devices[side].shortId;
    for (const { member, shortId } of [this.#devices.local, this.#devices.remote]) {
      if (member === author) return shortId;
    }
    return this.#shortIdOf(author) ?? encodeBase32(fromHex(author)).slice(0, SHORT_ID_CHARS);
  }

  #stateOf(name: string, loser: Loser): "free" | "taken" | "there" {
    const { parent } = loser.item;
    if (this.#givenIn(parent).has(name)) return "taken";
    const found = SIDES.map((side) => this.#entryAt(parent, side, name));
    if (found.includes("opaque")) return "taken";
    const entries = found as (Entry | undefined)[];
    const isRemembered = parent.read().items.some((item) =>
      item.pair.ancestor !== undefined && item.rememberedName === name
    );
    if (entries.every((entry) => entry === undefined)) return isRemembered ? "taken" : "free";
    // On one side only it may be about to be deleted: only a copy on both sides is one that stays.
    const isThere = entries.every((entry) =>
      isLeaf(entry) && likeness(entry, loser.leaf, 1) === "same"
    );
    return isThere ? "there" : "taken";
  }

  #entryAt(node: DirNode, side: Side, name: string): Entry | undefined | "opaque" {
    const traits = this.#traits[side];
    const key = nameKey(name, traits);
    const view = node.read().views[side];
    for (const opaque of view.opaque) if (nameKey(opaque, traits) === key) return "opaque";
    return view.entries.find((entry) => nameKey(entry.name, traits) === key);
  }

  #givenIn(node: DirNode): Set<string> {
    let given = this.#given.get(node);
    if (given === undefined) this.#given.set(node, given = new Set());
    return given;
  }
}

/** None, if it will do; then what tells versions apart, from the stable to the merely different. */
function* variantsOf(loser: Loser): Generator<string | undefined> {
  const { leaf, digest } = loser;
  yield undefined;
  const seen = leaf.kind === "file" ? `${leaf.size}/${leaf.mtimeMs}` : leaf.target;
  yield shortHash(seen);
  if (digest !== undefined) yield toHex(digest).slice(0, VARIANT_HEX_CHARS);
  for (let n = 2; n < 1000; n++) yield shortHash(`${seen}/${n}`);
}

function shortHash(text: string): string {
  return toHex(sha256(utf8(text))).slice(0, VARIANT_HEX_CHARS);
}
