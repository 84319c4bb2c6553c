import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import type { Message, SyncOpen, SyncResult } from "../../src/protocol/mod.ts";
import { PeerLink, type Transport } from "../../src/sync/mod.ts";
import { type TestHello, testHello } from "./test_hello.ts";

/** What a session that did nothing says last. */
export const NOTHING_SYNCED: SyncResult = {
  type: "sync-result",
  session: 1,
  ok: true,
  files: 0,
  bytesSent: 0,
  bytesReceived: 0,
  bytesReused: 0,
  deleted: 0,
  renamed: 0,
  adjusted: 0,
  conflicts: 0,
  errors: 0,
};

/** The asking side of a session that a test leads by hand; its end closes the link. */
export interface HandClient extends AsyncDisposable {
  readonly link: PeerLink;
  /** What the peer has said so far, its Hello left out. */
  readonly heard: readonly Message[];
}

/**
 * Opens session 1 by hand, both ways if nothing else is said, and returns once the peer has accepted it.
 * What the peer asks is never answered.
 */
export async function openByHand(
  transport: Transport,
  { hello = testHello(), ...open }: Partial<SyncOpen> & { readonly hello?: TestHello } = {},
): Promise<HandClient> {
  const heard: Message[] = [];
  const accepted = Promise.withResolvers<void>();
  const handler = {
    handleMessage: (message: Message) => {
      heard.push(message);
      if (message.type === "sync-accept") accepted.resolve();
    },
    handleRequest: () => new Promise<never>(() => {}),
  };
  const common = { clock: systemClock, logger: silentLogger };
  const link = await PeerLink.begin(transport, { hello, handler, ...common });
  await link.send({
    type: "sync-open",
    session: 1,
    share: "",
    mode: "two-way",
    checksum: false,
    run: "run",
    chunker: 1,
    versions: 0,
    compress: false,
    dryRun: false,
    watch: false,
    rateLimit: 0,
    whole: false,
    ...open,
  });
  const ended = link.ended.then((error) => {
    throw error ?? new Error("closed before it was accepted");
  });
  await Promise.race([accepted.promise, ended]);
  return { link, heard, [Symbol.asyncDispose]: () => link[Symbol.asyncDispose]() };
}
