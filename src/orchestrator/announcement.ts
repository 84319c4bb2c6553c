import { messageOf } from "../base/errors.ts";
import { type HostPort, isLoopback } from "../quic/mod.ts";
import type { Orchestrator } from "./orchestrator.ts";

/**
 * Tells the local network where this device listens, until the handle is disposed. Returns at once:
 * nothing waits for a network, and without one the command goes on all the same.
 *
 * @param listening As bound; a loopback address is nothing that others could reach, and not told.
 * @param slot The public part of a pairing code, while one is shown.
 */
export function announce(
  orchestrator: Orchestrator,
  listening: HostPort,
  slot?: number,
): AsyncDisposable {
  if (isLoopback(listening.host)) return { [Symbol.asyncDispose]: () => Promise.resolve() };
  const { logger } = orchestrator.options;
  const announcing = (async () => {
    const discovery = await orchestrator.discovery();
    const { ID_PREFIX_CHARS } = await import("../discovery/mod.ts");
    return await discovery.announce({
      idPrefix: announcedId(orchestrator.identity.id).slice(0, ID_PREFIX_CHARS),
      port: listening.port,
      ...(slot !== undefined && { slot }),
    });
  })();
  announcing.catch((error) => logger.log("info", `not announced: ${messageOf(error)}`));
  return {
    [Symbol.asyncDispose]: async () => {
      const handle = await announcing.catch(() => undefined);
      await handle?.[Symbol.asyncDispose]();
    },
  };
}

/** A device id as it is announced, but for its length: without dashes. */
export function announcedId(id: string): string {
  return id.replaceAll("-", "");
}
