import { STREAM_CODE } from "../../base/wire_codes.ts";
import { readRequest, type Request } from "../../protocol/mod.ts";
import type { DuplexStream } from "./transport.ts";

/** Requests of one connection that are served at once; each costs buffers of half a megabyte. */
export const REQUESTS_AT_ONCE_MAX = 32;
/** How long a request may take to arrive, for each {@linkcode PACE_BYTES} of it. */
export const REQUEST_TIMEOUT_MS = 30_000;
const PACE_BYTES = 16 * 1024;

/**
 * Lets a peer's requests in, so many at a time and the others in their order: a peer may open a thousand
 * streams, and costs no more than the streams until it is their turn.
 */
export class RequestGate {
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  /** Waits for a place; to be disposed when the request has been served. */
  async enter(): Promise<Disposable> {
    if (this.#inside < REQUESTS_AT_ONCE_MAX) this.#inside++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return { [Symbol.dispose]: () => this.#leave() };
  }

  #leave(): void {
    // The place goes to the one that has waited longest.
    const next = this.#waiting.shift();
    if (next === undefined) this.#inside--;
    else next();
  }
}

/** How {@linkcode receiveRequest} waits. */
export interface RequestPatience {
  /** When the peer was last heard of; `undefined` where nobody can tell. */
  readonly heardAtMs: () => number | undefined;
  readonly timeoutMs: number;
}

/**
 * Reads the request at the head of a stream, and resets a stream on which it does not come: whoever opens
 * one knows what to ask. An outage of the network does not count.
 *
 * @throws {ProtocolError} as `readRequest()`; what ends the stream.
 */
export async function receiveRequest(
  { send, recv }: DuplexStream,
  { heardAtMs, timeoutMs }: RequestPatience,
): Promise<Request> {
  let timer: ReturnType<typeof setTimeout>;
  const wait = () => {
    const heardBefore = heardAtMs();
    timer = setTimeout(() => {
      if (heardBefore !== undefined && heardAtMs() === heardBefore) return wait();
      recv.stop(STREAM_CODE.limit);
      send.reset(STREAM_CODE.limit);
    }, timeoutMs);
  };
  let bytes = 0;
  wait();
  try {
    return await readRequest({
      async read(into) {
        const count = await recv.read(into);
        bytes += count ?? 0;
        if (bytes >= PACE_BYTES) {
          bytes = 0;
          clearTimeout(timer);
          wait();
        }
        return count;
      },
    });
  } finally {
    clearTimeout(timer!);
  }
}
