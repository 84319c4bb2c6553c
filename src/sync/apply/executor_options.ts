import type { Clock } from "../../base/clock.ts";
import type { RelPath } from "../../base/paths.ts";
import type { VectorMember } from "../../base/version_vector.ts";
import type { RootIndex } from "../../index/mod.ts";
import type { CommitStep, Keep, Root } from "../../store/mod.ts";
import type { ShareContent } from "../content/share_content.ts";
import type { Lanes } from "../link/requester.ts";
import type { RemoteShare } from "../transfer/remote_share.ts";
import type { Outcome } from "./operation.ts";

/** What an `Executor` works with. */
export interface ExecutorOptions {
  readonly root: Root;
  readonly index: RootIndex;
  /** Stands for this device in version vectors. */
  readonly member: VectorMember;
  readonly content: ShareContent;
  /** Where bytes come from. */
  readonly remote: RemoteShare;
  /** Threads that fetch beside this one. */
  readonly lanes?: Lanes;
  /** Where replaced and deleted files go. */
  readonly keep: Keep;
  readonly versionsMax: number;
  readonly fsync: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Gets each outcome once it is final: done means durable. */
  readonly onOutcome: (outcome: Outcome) => void;
  /** Hears of what failed, and does not only have to be planned anew. */
  readonly onFailure?: (path: RelPath, message: string) => void;
  /** File bytes that just arrived. */
  readonly onBytes: (bytes: number) => void;
  /** For tests, which end the process there. */
  readonly onStep?: (step: CommitStep, path?: RelPath) => void;
}
