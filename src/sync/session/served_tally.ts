import type { SyncResult } from "../../protocol/mod.ts";
import type { Operation, Outcome } from "../apply/operation.ts";
import type { Provider } from "../transfer/provider.ts";
import { filesMore, isLeaf } from "./tally.ts";

/** What a session did to a served folder, as its own device saw it. Files count with links. */
export interface ServedSums {
  /** To the peer. */
  readonly sent: number;
  /** From the peer. */
  readonly received: number;
  readonly deleted: number;
  readonly renamed: number;
  readonly errors: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly bytesReused: number;
  /** Files in the folder now. */
  readonly files: number;
}

/** Counts what the serving side of a session does. */
export class ServedTally {
  /** What each operation is worth, by its position; see {@linkcode worthOf}. */
  readonly #worths: Worth[] = [];
  readonly #sums = {
    received: 0,
    deleted: 0,
    renamed: 0,
    errors: 0,
    bytesReceived: 0,
    bytesReused: 0,
    files: 0,
  };

  /** @param files Files in the folder when the session began. */
  begin(files: number): void {
    this.#sums.files = files;
  }

  /** Takes in an operation that is about to be carried out, in the order of their positions. */
  handleOperation(operation: Operation): void {
    this.#worths.push(worthOf(operation));
  }

  /** Takes in what became of one. */
  handleOutcome(outcome: Outcome): void {
    const sums = this.#sums;
    sums.bytesReceived += outcome.bytesFetched;
    sums.bytesReused += outcome.bytesReused;
    if (outcome.result !== "done") {
      sums.errors++;
      return;
    }
    const { kind, files } = this.#worths[outcome.index] ?? NOTHING;
    sums.files += files;
    if (kind !== undefined) sums[kind]++;
  }

  /**
   * The sums so far.
   *
   * @param result The initiator's, once it is through: it alone knows which links it has made, and which of
   * the files sent arrived as they should.
   */
  sums(provider: Provider | undefined, result: SyncResult | undefined): ServedSums {
    const sent = result ? result.files - this.#sums.received : provider?.filesSent ?? 0;
    return { ...this.#sums, sent: Math.max(0, sent), bytesSent: provider?.fileBytes ?? 0 };
  }
}

interface Worth {
  readonly kind: "received" | "deleted" | "renamed" | undefined;
  /** How many files more there are. */
  readonly files: -1 | 0 | 1;
}

const KINDS = ["received", "deleted", "renamed", undefined] as const;
/** Shared objects, since a session may have a hundred thousand operations. */
const WORTHS: ReadonlyMap<Worth["kind"], readonly Worth[]> = new Map(
  KINDS.map((kind) => [kind, ([-1, 0, 1] as const).map((files) => ({ kind, files }))]),
);
const NOTHING: Worth = worth(undefined, 0);

function worthOf(operation: Operation): Worth {
  return worth(kindOf(operation), filesMore(operation));
}

function worth(kind: Worth["kind"], files: Worth["files"]): Worth {
  return WORTHS.get(kind)![files + 1]!;
}

function kindOf(operation: Operation): Worth["kind"] {
  switch (operation.op) {
    case "write-file":
    case "copy-file":
    case "make-link":
      return "received";
    case "move":
      return "renamed";
    case "remove":
    case "make-dir":
      return isLeaf(operation) ? "deleted" : undefined;
    case "set-attributes":
      return undefined;
  }
}
