import { LandropicError } from "../base/errors.ts";

/** How long a peer that is there may take to answer what it knows by heart. */
export const ANSWER_MS = 15_000;

/**
 * Bounds what a peer is asked outside of a session.
 *
 * @throws {LandropicError} `timed_out` when it has not come by then; the work is up to whoever began it.
 */
export async function answeredWithin<T>(
  answer: Promise<T>,
  peer: string,
  timeoutMs: number = ANSWER_MS,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const seconds = Math.round(timeoutMs / 1000);
      reject(
        new LandropicError(
          "timed_out",
          `"${peer}" is there, but has not answered for ${seconds} s`,
          `look at what landropic does on "${peer}", and try again`,
        ),
      );
    }, timeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer!);
  }
}
