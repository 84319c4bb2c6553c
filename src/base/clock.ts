/** Where time comes from, so that tests can turn it by hand. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes backwards. For timeouts and durations. */
  nowMs(): number;
  /** Milliseconds since the Unix epoch, as this device believes. For display and certificates. */
  wallMs(): number;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
};

/** Waits; rejects with the signal's reason when it is aborted first. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
