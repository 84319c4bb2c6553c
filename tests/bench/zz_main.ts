/**
 * landropic as `main.ts` runs it, which beside its work sends a Ping on the control stream of each of its
 * connections again and again, and writes what became of them to the file that `CONTROL_REPORT` names.
 * Nothing of the product knows of it: the methods that make links, and that send, are wrapped here.
 */
import { main } from "/work/wt-ctl/src/cli/mod.ts";
import { PeerLink } from "/work/wt-ctl/src/sync/link/peer_link.ts";

/** Pings and Pongs together stay below the limit on control messages. */
const INTERVAL_MS = 15;

/** What one side knows of the Pings: milliseconds since the Unix epoch by number of the Ping. */
export interface ControlLog {
  /** When each was due to be sent. */
  readonly due: [token: number, atMs: number][];
  /** When the answer came. */
  readonly answered: [token: number, atMs: number][];
  /** When the other side's arrived here. */
  readonly arrived: [token: number, atMs: number][];
}

const log: ControlLog = { due: [], answered: [], arrived: [], stalls: [], called: [] } as any;
const nowMs = () => performance.timeOrigin + performance.now();

/**
 * Each Ping counts from when it was due, so that a thread that is busy for long is seen as what it is: a
 * message that would have been sent in that time had to wait.
 */
async function keepAsking(link: PeerLink): Promise<void> {
  await link.peerHello;
  let dueMs = nowMs() + INTERVAL_MS;
  let next = 1;
  let last = nowMs();
  const timer = setInterval(() => {
    const now = nowMs();
    if (now - last > 8) (log as any).stalls.push([last, now - last]);
    last = now;
    for (const untilMs = nowMs(); dueMs <= untilMs; dueMs += INTERVAL_MS) {
      const token = next++;
      (log as any).called.push([token, nowMs()]);
      log.due.push([token, dueMs]);
      link.ping().then(() => log.answered.push([token, nowMs()]), () => {});
    }
  }, 1);
  await link.ended;
  clearInterval(timer);
}

for (const way of ["open", "begin"] as const) {
  const original = PeerLink[way].bind(PeerLink);
  PeerLink[way] = async (...args) => {
    const link = await original(...args);
    void keepAsking(link).catch(() => {});
    return link;
  };
}
const send = PeerLink.prototype.send;
PeerLink.prototype.send = function (message) {
  // A Ping is answered as soon as it is read.
  if (message.type === "pong") log.arrived.push([message.token, nowMs()]);
  return send.call(this, message);
};

if (import.meta.main) {
  const code = await main(Deno.args);
  Deno.writeTextFileSync(Deno.env.get("CONTROL_REPORT")!, JSON.stringify(log));
  Deno.exit(code);
}
