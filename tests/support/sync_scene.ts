import {
  type PoolLimits,
  runSync,
  type ServedEnd,
  type ServeOptions,
  ShareServer,
  type SyncRunOptions,
  type SyncRunSummary,
  type Visitor,
} from "../../src/orchestrator/mod.ts";
import type { QuicConnection } from "../../src/quic/mod.ts";
import type { SyncObserver, SyncRequest } from "../../src/sync/mod.ts";
import { LOOPBACK, OrchestratedDevice } from "./orchestrated_device.ts";
import { SYNC_REQUEST } from "./sync_request.ts";
import { temporaryFolder, type TreeSpec, writeTree } from "./tree.ts";

/** What a test changes about a scene. */
export interface SceneOptions {
  /** Of both devices. */
  readonly pool?: Partial<PoolLimits>;
  /** The server ends after the first session. */
  readonly once?: boolean;
  /** How long the server waits for the peer of a session. */
  readonly times?: ServeOptions["times"];
  /** How long a peer may stay behind that session. */
  readonly lastPauseMs?: number;
}

/** Two devices in this process that trust each other: `a` syncs its left folder with `b`'s right one. */
export class SyncScene implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly folder = this.#stack.use(temporaryFolder());
  readonly left = `${this.folder.path}/left`;
  readonly right = `${this.folder.path}/right`;
  readonly ends: ServedEnd[] = [];
  readonly stop = new AbortController();
  a!: OrchestratedDevice;
  b!: OrchestratedDevice;
  server!: ShareServer;

  private constructor(readonly options: SceneOptions) {}

  static async make(left: TreeSpec, right: TreeSpec, options: SceneOptions = {}) {
    const scene = new SyncScene(options);
    writeTree(scene.left, left);
    writeTree(scene.right, right);
    const { path } = scene.folder;
    scene.a = scene.#stack.use(await OrchestratedDevice.open(path, "a", options));
    scene.b = scene.#stack.use(await OrchestratedDevice.open(path, "b", options));
    await Promise.all([scene.a.trust(scene.b, "b"), scene.b.trust(scene.a, "a")]);
    await scene.#serve(0);
    return scene;
  }

  /** Ends the server and its whole command in good order, and starts it anew. */
  async restart(): Promise<void> {
    const { port } = this.server.address;
    await this.server[Symbol.asyncDispose]();
    await this.b[Symbol.asyncDispose]();
    this.b = this.#stack.use(await OrchestratedDevice.open(this.folder.path, "b"));
    await this.#serve(port);
  }

  async #serve(port: number): Promise<void> {
    this.server = this.#stack.use(
      await ShareServer.start(this.b.orchestrator, {
        shares: [{ name: "default", path: this.right, writable: true }],
        allow: [],
        listen: { host: LOOPBACK, port },
        once: this.options.once ?? false,
        times: this.options.times,
        ...(this.options.lastPauseMs !== undefined && { lastPauseMs: this.options.lastPauseMs }),
        versionsMax: 0,
        observer: { sessionStart() {}, sessionEnd: (end) => void this.ends.push(end) },
      }),
    );
  }

  /** Syncs once. */
  async sync(
    request: Partial<SyncRequest>,
    { port = this.server.address.port, observer = {}, ...more }:
      & Partial<Omit<SyncRunOptions, "observer">>
      & { readonly port?: number; readonly observer?: Partial<SyncRunOptions["observer"]> } = {},
  ): Promise<SyncRunSummary> {
    const { orchestrator } = this.a;
    return await runSync(orchestrator, orchestrator.trust.resolve("b"), {
      request: { ...SYNC_REQUEST, ...request },
      dir: this.left,
      lockWaitMs: 0,
      address: { host: LOOPBACK, port },
      retries: 0,
      waitMs: 0,
      signal: this.stop.signal,
      observer: { ...SILENT, ...observer },
      ...more,
    });
  }

  /** Connections at the server that carry bytes only. */
  get joined(): (readonly [QuicConnection, Visitor])[] {
    return [...this.server.visitors].filter(([, { responder }]) => responder === undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort(new DOMException("over", "AbortError"));
    await this.#stack.disposeAsync();
  }
}

/** Hears of nothing. */
export const SILENT: SyncObserver & { connected(): void } = {
  plan() {},
  item() {},
  conflict() {},
  fileError() {},
  progress() {},
  connected() {},
};

/** Polls until something is so. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Bytes that nothing makes shorter, the same for the same seed. */
export function noise(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed * 2654435761 >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    // xorshift32 (Marsaglia, 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}
