import { networkInterfaces } from "node:os";
import { messageOf } from "../../base/errors.ts";
import { join } from "../../base/system_path.ts";
import { type LinkSpec, listLinks, openMulticastLink } from "../../discovery/mod.ts";
import { IDENTITY_FILE, IdentityError, loadNextIdentity, shortId } from "../../identity/mod.ts";
import { ALPN_SYNC } from "../../protocol/mod.ts";
import { HandshakeRefused, QuicEndpoint, QuicError } from "../../quic/mod.ts";
import type { Orchestrator } from "../orchestrator.ts";
import type { Check } from "./check.ts";

/** How long a packet to this machine itself may take. */
const SELF_MS = 1_000;
/** Nobody ran landropic before. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);
/** What a state folder must have room for. */
const ROOM_BYTES = 256 * 1024;
const OTHERS = 0o077;

/** Looks at what this device keeps: its folders, its key, its clock, its peers. */
export async function* checkDevice(orchestrator: Orchestrator): AsyncGenerator<Check, void> {
  const { configDir, stateDir } = orchestrator.options;
  yield await checkFolder("home", configDir, [IDENTITY_FILE]);
  if (stateDir !== configDir) yield await checkFolder("state folder", stateDir, []);
  yield await checkIdentity(orchestrator);
  yield checkClock(orchestrator);
  const peers = orchestrator.trust.list().length;
  yield peers > 0 ? { name: "peers", ok: true, message: `${peers} trusted` } : {
    name: "peers",
    ok: false,
    message: "no device is trusted yet",
    hint: 'run "landropic pair" on this device and on another one',
  };
}

/** Looks at what this device can do on a network: sockets, addresses, multicast. */
export async function* checkNetwork(
  orchestrator: Orchestrator,
  { servePort, discovery }: { readonly servePort: number; readonly discovery: boolean },
): AsyncGenerator<Check, void> {
  yield await checkTransport(orchestrator);
  yield await checkPort(orchestrator, servePort);
  const links = listLinks(networkInterfaces(), Deno.build.os === "windows");
  yield checkAddresses(links);
  yield discovery
    ? await checkMulticast(orchestrator, links)
    : { name: "multicast", ok: true, message: "not looked at (--no-discovery)" };
}

async function checkFolder(
  name: string,
  folder: string,
  privateFiles: readonly string[],
): Promise<Check> {
  try {
    for (const path of [folder, ...privateFiles.map((file) => join(folder, file))]) {
      const { mode } = await Deno.stat(path);
      if (Deno.build.os === "windows" || mode === null || (mode & OTHERS) === 0) continue;
      return {
        name,
        ok: false,
        message: `other users can read ${path}`,
        hint: `run: chmod go= ${path}`,
      };
    }
    const probe = await Deno.makeTempFile({ dir: folder, prefix: ".doctor-" });
    try {
      await Deno.writeFile(probe, new Uint8Array(ROOM_BYTES));
    } finally {
      await Deno.remove(probe);
    }
    return { name, ok: true, message: `${folder}, for this user alone` };
  } catch (error) {
    return {
      name,
      ok: false,
      message: `cannot use ${folder}: ${messageOf(error)}`,
      hint: "check its owner and permissions, and the space on its disk",
    };
  }
}

async function checkIdentity(orchestrator: Orchestrator): Promise<Check> {
  const { identity, deviceName, options: { configDir: folder, clock, logger } } = orchestrator;
  const name = "identity";
  const until = new Date(identity.notAfterMs).toISOString().slice(0, 10);
  if (clock.wallMs() > identity.notAfterMs) {
    const hint =
      "it is renewed by itself where this folder can be written; check that, and the clock";
    return { name, ok: false, message: `the certificate ended on ${until}`, hint };
  }
  const next = await loadNextIdentity({ folder, clock, logger });
  const moving = next === undefined
    ? ""
    : `; moving to ${shortId(next.identity.id)} on ${new Date(next.switchAtMs).toISOString()}`;
  const message = `${shortId(identity.id)} (${deviceName}), certificate until ${until}${moving}`;
  return { name, ok: true, message };
}

/** A clock can't be judged alone; but time that lies before what was done already is wrong. */
function checkClock({ identity, trust, options: { clock } }: Orchestrator): Check {
  const nowMs = clock.wallMs();
  const now = new Date(nowMs).toISOString();
  const seenMs = trust.list().map(({ lastSeenMs = 0 }) => lastSeenMs);
  const knownMs = Math.max(EARLIEST_MS, identity.notBeforeMs, ...seenMs);
  return nowMs >= knownMs
    ? { name: "clock", ok: true, message: `${now}; the other device may differ by a day at most` }
    : {
      name: "clock",
      ok: false,
      message: `it says ${now}, which is before ${new Date(knownMs).toISOString()}`,
      hint: "set date and time; devices refuse certificates from the future",
    };
}

/** A handshake with itself: library, key and certificate, socket and firewall of the loopback. */
async function checkTransport(orchestrator: Orchestrator): Promise<Check> {
  const { identity: { keyPem, certPem }, options: { clock, logger } } = orchestrator;
  const name = "transport";
  try {
    const endpoint = await orchestrator.initializeQuicTransport();
    const listen = { host: "127.0.0.1", port: 0 };
    await using server = await QuicEndpoint.bind({ identity: { keyPem, certPem }, listen, logger });
    server.listen({ alpns: () => [ALPN_SYNC], verify: () => {}, onConnection: () => {} });
    const startMs = clock.nowMs();
    const connection = await endpoint.connect(server.localAddress, {
      alpn: ALPN_SYNC,
      verify: () => {},
      timeoutMs: SELF_MS,
    });
    const tookMs = clock.nowMs() - startMs;
    await connection.close(0);
    return { name, ok: true, message: `QUIC over UDP works, handshake in ${tookMs.toFixed(1)} ms` };
  } catch (error) {
    return {
      name,
      ok: false,
      message: messageOf(error),
      hint: "let landropic send UDP to this machine itself: see its firewall or sandbox",
    };
  }
}

async function checkPort(orchestrator: Orchestrator, port: number): Promise<Check> {
  const { identity: { keyPem, certPem }, options: { logger } } = orchestrator;
  const name = `UDP port ${port}`;
  const hint = "end what uses it, or serve on another one: landropic serve --listen :PORT";
  try {
    const listen = { host: "::", port };
    await using _ = await QuicEndpoint.bind({ identity: { keyPem, certPem }, listen, logger });
    return { name, ok: true, message: 'free; "landropic serve" can have it' };
  } catch (error) {
    if (!(error instanceof QuicError)) throw error;
    if (await isOwnServer(orchestrator, port)) {
      return { name, ok: true, message: "this device is serving there" };
    }
    return { name, ok: false, message: messageOf(error), hint };
  }
}

/** True if this very device answers there: a handshake is refused for nothing but that. */
async function isOwnServer(orchestrator: Orchestrator, port: number): Promise<boolean> {
  const endpoint = await orchestrator.initializeQuicTransport();
  try {
    const connection = await endpoint.connect({ host: "127.0.0.1", port }, {
      alpn: ALPN_SYNC,
      verify: (peer) => void orchestrator.verify(peer, []),
      timeoutMs: SELF_MS,
    });
    await connection.close(0);
    return false;
  } catch (error) {
    return error instanceof HandshakeRefused && error.cause instanceof IdentityError &&
      error.cause.reason === "own_device";
  }
}

function checkAddresses(links: readonly LinkSpec[]): Check {
  const shown = new Map<string, string>();
  for (const { addresses, name } of links) {
    for (const address of addresses) shown.set(address, `${address} (${name})`);
  }
  return shown.size > 0
    ? { name: "addresses", ok: true, message: [...shown.values()].join(", ") }
    : {
      name: "addresses",
      ok: false,
      message: "this machine has no address but loopback",
      hint: "connect it with a network",
    };
}

/** Hears its own search on each interface: what is sent comes back, so it left the machine's stack. */
async function checkMulticast(
  orchestrator: Orchestrator,
  links: readonly LinkSpec[],
): Promise<Check> {
  const name = "multicast";
  const heard = new Set<LinkSpec>();
  const closed: (() => Promise<void>)[] = [];
  const stop = new AbortController();
  try {
    for (const spec of links) {
      const link = await openMulticastLink(spec, {
        onPacket: (_, { address }) => {
          if (!spec.addresses.includes(address.split("%")[0]!)) return;
          heard.add(spec);
          if (heard.size === links.length) stop.abort();
        },
        onProblem: () => {},
      }).catch(() => undefined);
      if (link) closed.push(() => link.close());
    }
    const discovery = await orchestrator.discovery();
    for await (const _ of discovery.discover({ timeoutMs: SELF_MS, signal: stop.signal }));
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    for (const close of closed) await close();
  }
  const describe = (specs: Iterable<LinkSpec>) =>
    [...specs].map(({ name, family }) => `${name} IPv${family}`).join(", ");
  if (heard.size > 0) return { name, ok: true, message: `works on ${describe(heard)}` };
  return {
    name,
    ok: false,
    message: links.length === 0 ? "no interface" : `nothing heard on ${describe(links)}`,
    hint: "allow UDP port 5353 in this machine's firewall; without it, use --address HOST:PORT",
  };
}
