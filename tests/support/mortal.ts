import type { ProcessOptions, ServingDevice } from "./cli_device.ts";

const MAIN = new URL("./mortal_main.ts", import.meta.url).pathname;

/** When a process of the program dies by SIGKILL; see `mortal_main.ts`. */
export interface Mortality {
  /** A file that gets a line for each point passed. */
  readonly log?: string;
  /** The number of the point to die at. */
  readonly dieAt?: number;
  /** Bytes read from streams to die after. */
  readonly readBytes?: number;
  /** Bytes written to streams to die after. */
  readonly writtenBytes?: number;
}

/** Makes a process of the program one that dies. */
export function mortal({ log, dieAt, readBytes, writtenBytes }: Mortality): ProcessOptions {
  return {
    main: MAIN,
    env: {
      ...(log !== undefined && { MORTAL_LOG: log }),
      ...(dieAt !== undefined && { MORTAL_AT: String(dieAt) }),
      ...(readBytes !== undefined && { MORTAL_READ: String(readBytes) }),
      ...(writtenBytes !== undefined && { MORTAL_WRITTEN: String(writtenBytes) }),
    },
  };
}

/** Stops a sync when its server has died: it would wait a minute until a silent peer counts as gone. */
export function stopWith(server: ServingDevice, sync: Deno.ChildProcess): void {
  void server.end().then(() => {
    try {
      sync.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
  });
}
