import { messageOf } from "../base/errors.ts";
import { OWN_FOLDER } from "../base/paths.ts";
import { join } from "../base/system_path.ts";
import type { TrustEntry } from "../identity/mod.ts";
import { type Hello, ProtocolError } from "../protocol/mod.ts";
import { formatHostPort, type QuicConnection } from "../quic/mod.ts";
import { openRoot, reasonOf } from "../store/mod.ts";
import { type LinkHandler, OpenShare, PeerLink, type ShareRole } from "../sync/mod.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { openingMessages, rotationTaker } from "./rotation_exchange.ts";

/** A peer that was reached and has accepted this device. */
export interface ConnectedPeer {
  readonly peer: string;
  readonly address: string;
  readonly rttMs: number;
}

/**
 * Speaks first on a connection that was dialled. The link is there at once, and the first request may
 * travel with our Hello; when the peer has said its own, it is remembered where it was found.
 *
 * @param onConnected Hears when the peer has said Hello.
 */
export async function callPeer(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  connection: QuicConnection,
  options: {
    readonly handler: LinkHandler;
    readonly onConnected?: (peer: ConnectedPeer) => void;
    /** The group that the connection founds or joins, if it is to have company. */
    readonly group?: Pick<Hello, "group" | "joins">;
  },
): Promise<PeerLink> {
  const { clock, logger } = orchestrator.options;
  const link = await PeerLink.begin(connection, {
    hello: { ...orchestrator.hello, ...options.group },
    opening: await openingMessages(orchestrator),
    onRotateKey: rotationTaker(orchestrator, connection),
    handler: options.handler,
    clock,
    logger,
  });
  orchestrator.background(greet());
  return link;

  async function greet(): Promise<void> {
    try {
      const { name } = await link.peerHello;
      const address = formatHostPort(connection.remoteAddress);
      const { rttMs } = connection.stats();
      options.onConnected?.({ peer: entry.alias, address, rttMs });
      const { fingerprint } = orchestrator.verify(connection.peer);
      await orchestrator.trust.touch({ fingerprint, announcedName: name, address });
    } catch (error) {
      logger.log("debug", `peer not noted: ${messageOf(error)}`);
    }
  }
}

/** The side of a call that asks, and is asked for nothing. */
export const ASKING_ONLY: LinkHandler = {
  handleMessage() {},
  handleRequest: () => Promise.reject(new ProtocolError("Nothing is served on this connection")),
};

/** How to open a folder of this device. */
export interface OwnFolderOptions {
  readonly dir: string;
  readonly role: ShareRole;
  /** Leave no mark in it. */
  readonly untouched?: boolean;
  /** What others are told who find it locked: `sync with "nas"`. */
  readonly activity: string;
  readonly lockWaitMs: number;
  readonly signal: AbortSignal;
}

/**
 * Looks whether a folder of this device can be synced at all, before anybody is called.
 *
 * @param options.isMade A folder that is missing will be made.
 * @throws {StoreError} as {@linkcode openOwnFolder} would.
 */
export function checkOwnFolder(dir: string, { isMade }: { isMade: boolean }): void {
  try {
    openRoot(dir)[Symbol.dispose]();
  } catch (error) {
    if (!isMade || reasonOf(error) !== "not_found") throw error;
  }
}

/** True if the folder has landropic's own folder in it. */
export function isMarked(dir: string): boolean {
  try {
    Deno.statSync(join(dir, OWN_FOLDER));
    return true;
  } catch {
    return false;
  }
}

/** Opens a folder for one session of this device with a peer. @throws {StoreError} */
export async function openOwnFolder(
  orchestrator: Orchestrator,
  { dir, role, untouched, activity, lockWaitMs, signal }: OwnFolderOptions,
): Promise<OpenShare> {
  return await OpenShare.open({
    path: dir,
    role,
    untouched: untouched ?? false,
    create: role === "target",
    index: await orchestrator.index(),
    deviceId: orchestrator.identity.id,
    lockFolder: orchestrator.lockFolder,
    privateFolders: orchestrator.privateFolders,
    activity,
    lockWaitMs,
    clock: orchestrator.options.clock,
    signal,
  });
}
