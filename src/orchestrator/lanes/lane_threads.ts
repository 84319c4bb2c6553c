import { LandropicError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { ProtocolError } from "../../protocol/mod.ts";
import { Lane, type LaneStats, type Providers } from "../../sync/lane/mod.ts";
import type { FromThread, LaneStart, PlainError, ToThread } from "./thread_messages.ts";

/** What a lane is started with. */
export interface LaneOptions {
  readonly start: LaneStart;
  readonly providers: Providers;
  readonly logger: Logger;
  /** Gives up the start. */
  readonly signal: AbortSignal;
}

/**
 * The threads that lanes run in. A thread whose lane has ended waits for the next one: that saves 100 ms,
 * and the runtime (Deno 2.9) fails now and then when it takes down a thread that has used the native QUIC
 * core. So threads end with the process.
 */
export class LaneThreads {
  readonly #idle: Worker[] = [];
  readonly #running = new Set<Lane>();
  /** Of lanes that have ended. */
  readonly #past = { sentBytes: 0, receivedBytes: 0, sentPackets: 0, receivedPackets: 0 };
  readonly #isWanted: boolean;

  /** @param isWanted False to have all connections in one thread. */
  constructor(isWanted: boolean) {
    this.#isWanted = isWanted;
  }

  /**
   * True where connections can have threads of their own: they need sockets and files that several threads
   * can use, and a core to run on.
   */
  get areUsable(): boolean {
    return this.#isWanted && Deno.build.os === "linux" && navigator.hardwareConcurrency > 1;
  }

  /** Lanes whose connections are open. */
  get running(): number {
    return this.#running.size;
  }

  /** What all lanes so far have moved. */
  traffic(): LaneStats {
    const sum = { ...this.#past };
    for (const lane of this.#running) addTo(sum, lane.stats());
    return sum;
  }

  /**
   * Makes a connection to a peer in a thread of its own. A new thread costs some 100 ms and 30 MB.
   *
   * @returns The lane, once both sides have said Hello. It ends with its connection.
   * @throws {LandropicError} if there is no connection.
   */
  async start({ start, providers, logger, signal }: LaneOptions): Promise<Lane> {
    signal.throwIfAborted();
    const worker = this.#idle.pop() ?? newWorker();
    const post = (message: ToThread) => worker.postMessage(message);
    const lane = new Lane({ post, providers });
    const opened = Promise.withResolvers<Lane>();
    const end = (error: Error | undefined) => {
      if (this.#running.delete(lane)) addTo(this.#past, lane.stats());
      lane.handleEnd(error);
      opened.reject(
        error ?? new LandropicError("peer_unreachable", "The peer closed the connection"),
      );
    };
    worker.onmessage = ({ data }: MessageEvent<FromThread>) => {
      switch (data.type) {
        case "open":
          this.#running.add(lane);
          return opened.resolve(lane);
        case "log":
          return logger.log(data.level, data.message, data.fields);
        case "over":
          this.#idle.push(worker);
          return end(data.error && errorOf(data.error));
        default:
          lane.handleMessage(data);
      }
    };
    worker.onerror = (event) => {
      event.preventDefault();
      end(new LandropicError("failed", `A thread failed: ${event.message}`));
    };
    const onAbort = () => {
      post({ type: "stop" });
      end(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    post(start);
    try {
      return await opened.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}

function addTo(sum: { -readonly [Name in keyof LaneStats]: number }, stats: LaneStats): void {
  for (const name of Object.keys(sum) as (keyof LaneStats)[]) sum[name] += stats[name];
}

function newWorker(): Worker {
  return new Worker(new URL("./lane_worker.ts", import.meta.url), { type: "module", name: "lane" });
}

function errorOf({ code, message }: PlainError): LandropicError {
  return code === "protocol" ? new ProtocolError(message) : new LandropicError(code, message);
}
