/** Bytes that are worth the connections that the user asks for. */
const ASKED_BYTES_MIN = 4 * 1024 * 1024;

/**
 * How many connections to move so many bytes over.
 *
 * @param asked What the user wants, if anything.
 */
export function connectionsFor(bytes: number, asked: number | undefined): number {
  return asked === undefined || bytes < ASKED_BYTES_MIN ? 1 : asked;
}
