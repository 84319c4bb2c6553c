import type { ErrorCode } from "../base/errors.ts";

/** The exit code of each failure. Adding an `ErrorCode` without an exit code does not compile. */
export const EXIT_CODE: Readonly<Record<ErrorCode, number>> = {
  failed: 1,
  usage: 2,
  partial: 3,
  conflicts: 4,
  safety_limit: 5,
  locked: 6,
  peer_unreachable: 10,
  peer_untrusted: 11,
  protocol: 12,
  share_unavailable: 13,
  storage: 14,
  timed_out: 15,
  interrupted: 130,
};

/** Nothing went wrong. */
export const EXIT_OK = 0;

/** Ended by a signal: 128 and its number, as shells count. */
export const EXIT_SIGNAL = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;
