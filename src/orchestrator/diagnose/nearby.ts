import type { PeerAddress } from "../../discovery/mod.ts";
import type { TrustEntry } from "../../identity/mod.ts";
import { announcedId } from "../announcement.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { isHintFor } from "../peer_search.ts";

/** A device that announces itself, as it says. Nothing of it is proved. */
export interface NearbyDevice {
  /** The beginning of its id. */
  readonly idPrefix: string;
  /** The trusted peer whose id begins so. */
  readonly entry: TrustEntry | undefined;
  /** Best first. */
  readonly addresses: readonly PeerAddress[];
  /** The public part of its pairing code, while it shows one. */
  readonly slot: number | undefined;
}

/** Devices other than this one as they are heard of, each announcement once. */
export async function* nearbyDevices(
  orchestrator: Orchestrator,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): AsyncGenerator<NearbyDevice, void> {
  const own = announcedId(orchestrator.identity.id);
  const seen = new Set<string>();
  const discovery = await orchestrator.discovery();
  for await (const hint of discovery.discover(options)) {
    if (seen.has(hint.instance) || own.startsWith(hint.idPrefix)) continue;
    seen.add(hint.instance);
    const { idPrefix, addresses, slot } = hint;
    const entry = orchestrator.trust.list().find((one) => isHintFor(orchestrator, one, hint));
    yield { idPrefix, entry, addresses, slot };
  }
}
