import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { PeerLink, Responder, type ResponderOptions } from "../../src/sync/mod.ts";
import type { Transport } from "../../src/sync/link/transport.ts";
import { type TestHello, testHello } from "./test_hello.ts";
import type { TestDevice } from "./test_device.ts";

/** What a test says of its serving side. */
export interface ServedEndOptions extends Partial<ResponderOptions> {
  /** Who serves. */
  readonly device: TestDevice;
  /** Whom it serves, by the name "a". */
  readonly peer: TestDevice;
  readonly hello?: TestHello;
}

/** Serves a peer at one end of a connection; no share, if none is named. The caller owns what is returned. */
export async function serveEnd(
  transport: Transport,
  { device, peer, hello = testHello(), ...options }: ServedEndOptions,
): Promise<Responder> {
  const common = { clock: systemClock, logger: silentLogger };
  const responder = new Responder({
    shares: [],
    openIndex: () => Promise.reject(new Error("no session opens it")),
    deviceId: device.id,
    peerId: peer.id,
    peerName: "a",
    endDeadSessions: () => Promise.resolve(false),
    lockFolder: `${device.home}/locks`,
    versionsMax: 0,
    events: { sessionStart() {}, sessionEnd() {} },
    signal: new AbortController().signal,
    ...common,
    ...options,
  });
  await PeerLink.begin(transport, { hello, handler: responder, ...common });
  return responder;
}
