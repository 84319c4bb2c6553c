import { type JudgeRules, trustedVector } from "./judge.ts";
import type { Item } from "./node.ts";
import { across, type BySide, type Side } from "./side.ts";
import type { SideDevice } from "./tree_view.ts";
import { decided, joined, type MaybeVector, outranks } from "./versions.ts";

/** What the outcomes of a plan have seen, so that other devices can tell them from what they replace. */
export class Vectors {
  readonly #rules: JudgeRules;
  readonly #devices: BySide<SideDevice>;

  constructor(options: { readonly rules: JudgeRules; readonly devices: BySide<SideDevice> }) {
    this.#rules = options.rules;
    this.#devices = options.devices;
  }

  /** What a side's version or deletion has seen now. */
  of(item: Item, side: Side): MaybeVector {
    return item.seen[side];
  }

  /**
   * What a side's version gets that the other side takes over, in place of what that side had.
   *
   * @param isAsIs False if it changes a little on its own side too.
   */
  taken(item: Item, winner: Side, isAsIs = true): MaybeVector {
    const other = this.of(item, across(winner));
    const own = this.own(item, winner, isAsIs);
    const vector = joined(own, other);
    // The outcome has to outrank what it replaces, or other devices would take that for the newer one. What
    // comes back in spite of a deletion is a decision, too: another pair, which remembers the file as one
    // that both had, decides for the deletion, and the two would be told apart by nothing.
    const isBack = item.on(across(winner)) === undefined && !outranks(own, other);
    const isOpen = other !== undefined && (isBack || !outranks(vector, other));
    return isOpen ? this.#decided(vector, winner) : vector;
  }

  /** A side's vector, counted on where the version has changed without it, or is about to. */
  own(item: Item, side: Side, isAsIs: boolean): MaybeVector {
    const own = this.of(item, side);
    const isUncounted = own !== undefined && trustedVector(item, side, this.#rules) === undefined;
    return isUncounted || !isAsIs ? this.#decided(own, side) : own;
  }

  /** What a state gets that is made of both sides' versions, and may already be that of one. */
  merged(item: Item, isAsOn: (side: Side) => boolean): MaybeVector {
    const [local, remote] = [isAsOn("local"), isAsOn("remote")];
    if (local !== remote) return this.taken(item, local ? "local" : "remote");
    const vector = joined(this.of(item, "local"), this.of(item, "remote"));
    return local ? vector : this.#decided(vector, "local");
  }

  /** What a deletion has seen. It always outranks the version deleted. */
  removed(item: Item, from: Side): MaybeVector {
    const deleter = across(from);
    const version = this.of(item, from);
    const vector = joined(this.of(item, deleter), version);
    if (vector === undefined || outranks(vector, version)) return vector;
    return this.#decided(vector, deleter);
  }

  #decided(vector: MaybeVector, side: Side): MaybeVector {
    return decided(vector, this.#devices[side].member);
  }
}
