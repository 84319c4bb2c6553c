import type { TrustEntry } from "../identity/mod.ts";
import { LandropicError } from "../base/errors.ts";
import { CLOSE_CODE } from "../base/wire_codes.ts";
import { type ReachOptions, reachPeer } from "./dialer.ts";
import type { Orchestrator } from "./orchestrator.ts";
import type { PooledPeer } from "./pool/pooled_peer.ts";
import { SilenceWatch } from "./silence_watch.ts";

/**
 * Ends a peer's connections once they are dead: as soon as the peer answers on another one, which the next
 * try takes. For as long as a session runs on them.
 */
export function watchSilence(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  on: { readonly peer: PooledPeer; readonly reach: ReachOptions },
): SilenceWatch {
  const { clock, logger } = orchestrator.options;
  const { connection, group } = on.peer;
  const reach = { ...on.reach, retries: 0, waitMs: 0 };
  return new SilenceWatch({
    connection,
    dial: (signal) => reachPeer(orchestrator, entry, { ...reach, signal }),
    onReplaced: (fresh) => {
      orchestrator.appeared.put(entry, fresh);
      const error = new LandropicError(
        "peer_unreachable",
        "The connection has died, a new one works",
      );
      void group.primary.close(CLOSE_CODE.normal, error);
    },
    clock,
    logger,
  });
}
