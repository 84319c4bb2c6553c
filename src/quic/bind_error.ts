import { formatHostPort, type HostPort } from "./address.ts";
import { QuicError } from "./errors.ts";

/** The first port that anyone may listen on, on most systems. */
const PORT_UNPRIVILEGED = 1024;

/**
 * Why nobody can listen at an address, with what to do about it.
 *
 * @param code The name of the system's error, such as `EADDRINUSE`; any other text is told as it is.
 */
export function bindError(listen: HostPort, code: string, cause?: unknown): QuicError {
  const [why, hint] = reasonOf(code, listen.port);
  return new QuicError(
    "failed",
    `Cannot listen on ${formatHostPort(listen)}: ${why}`,
    hint,
    cause,
  );
}

function reasonOf(code: string, port: number): [why: string, hint?: string] {
  switch (code) {
    case "EADDRINUSE":
      return [
        "the port is in use",
        "stop the other program, or choose another port; 0 picks a free one",
      ];
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
      return [
        "this machine has no such address",
        "listen on an address of its own, or on all of them: [::], or 0.0.0.0 for IPv4 alone",
      ];
    case "EACCES":
      return [
        "not allowed",
        port < PORT_UNPRIVILEGED
          ? `ports below ${PORT_UNPRIVILEGED} need extra rights; choose a higher one`
          : "choose another port, or ask who administers this machine",
      ];
    default:
      return [code];
  }
}
