import { join } from "node:path";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import { type Discovery, type MemoryNetwork, NullDiscovery } from "../../src/discovery/mod.ts";
import { storeDeviceName } from "../../src/identity/mod.ts";
import { Orchestrator, type PoolLimits, ShareServer } from "../../src/orchestrator/mod.ts";

/** Where devices of one process reach each other. */
export const LOOPBACK = "127.0.0.1";

/** What a test changes about a device. */
export interface DeviceOptions {
  /** On which it announces itself and finds others; without one it does neither. */
  readonly network?: MemoryNetwork;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  readonly pool?: Partial<PoolLimits>;
}

/** One line of a log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
}

/** An orchestrator on a state folder of its own, and what it logs. */
export class OrchestratedDevice implements AsyncDisposable {
  private constructor(readonly orchestrator: Orchestrator, readonly log: LogLine[]) {}

  /** Makes, or opens again, the device of that name below a folder. */
  static async open(
    folder: string,
    name: string,
    options: DeviceOptions = {},
  ): Promise<OrchestratedDevice> {
    const home = join(folder, name);
    await storeDeviceName({ folder: home }, name);
    const log: LogLine[] = [];
    const logger: Logger = { log: (level, message) => void log.push({ level, message }) };
    const discovery: Discovery = options.network?.join(LOOPBACK) ?? new NullDiscovery();
    const orchestrator = await Orchestrator.create({
      configDir: home,
      stateDir: home,
      implementation: "landropic/test",
      clock: options.clock ?? systemClock,
      logger,
      signal: options.signal ?? new AbortController().signal,
      openDiscovery: () => Promise.resolve(discovery),
      ...(options.pool && { pool: options.pool }),
    });
    return new OrchestratedDevice(orchestrator, log);
  }

  /** Trusts another device, as `peers trust` would. */
  async trust(other: OrchestratedDevice, alias: string, address?: string): Promise<void> {
    const { fingerprint } = other.orchestrator.identity;
    await this.orchestrator.trust.trust({
      fingerprint,
      method: "id",
      alias,
      ...(address !== undefined && { address }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.orchestrator[Symbol.asyncDispose]();
  }
}

/**
 * Has a device serve no folder at all, for tests of whom it lets in.
 *
 * @param host Every address unless told otherwise: on loopback alone it would not announce itself.
 */
export async function serveNothing(
  { orchestrator }: OrchestratedDevice,
  host = "0.0.0.0",
): Promise<ShareServer> {
  return await ShareServer.start(orchestrator, {
    shares: [],
    allow: [],
    listen: { host, port: 0 },
    once: false,
    versionsMax: 0,
    observer: { sessionStart() {}, sessionEnd() {} },
  });
}
