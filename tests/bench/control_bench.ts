import { join } from "node:path";
import type { ControlLog } from "./control_main.ts";
import { type EndUsage, type MeteredSync, meterSync, type SyncSite } from "./metered_sync.ts";

const MAIN = new URL("./control_main.ts", import.meta.url).pathname;

/** How long messages took, in milliseconds. */
export interface Delays {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** One end of a sync with Pings beside it. */
export interface ControlEnd extends EndUsage {
  /** Of a message from here until the other side had read it. */
  readonly oneWay: Delays;
  /** And back again. */
  readonly roundTrip: Delays;
}

/** A sync with Pings beside it. */
export interface ControlFigures extends MeteredSync {
  readonly client: ControlEnd;
  readonly server: ControlEnd;
}

/**
 * Syncs one file that does not compress from host a to host b, with all that belongs to it, while both
 * sides send control messages on the very connection.
 */
export async function measureControl(site: SyncSite, mib: number): Promise<ControlFigures> {
  const reportOf = (host: string, folder: string) => join(folder, `report-${host}`);
  const env = (host: string, folder: string) => ({ CONTROL_REPORT: reportOf(host, folder) });
  return await meterSync(site, { files: [mib], main: MAIN, env }, (sync, folder) => {
    const logOf = (host: string): ControlLog =>
      JSON.parse(Deno.readTextFileSync(reportOf(host, folder)));
    const [near, far] = [logOf("a"), logOf("b")];
    return {
      ...sync,
      client: { ...sync.client, ...delays(near, far) },
      server: { ...sync.server, ...delays(far, near) },
    };
  });
}

function delays(own: ControlLog, others: ControlLog): Pick<ControlEnd, "oneWay" | "roundTrip"> {
  const due = new Map(own.due);
  const since = (ends: ControlLog["due"]) =>
    summaryOf(ends.map(([token, at]) => at - due.get(token)!));
  return { oneWay: since(others.arrived), roundTrip: since(own.answered) };
}

function summaryOf(times: number[]): Delays {
  times.sort((a, b) => a - b);
  const quantile = (q: number) => times[Math.min(times.length - 1, Math.floor(times.length * q))]!;
  return {
    count: times.length,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: times.at(-1)!,
  };
}
