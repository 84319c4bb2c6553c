/**
 * As `Promise.all`, but a failure is thrown only when all have ended: a file that several of them work
 * on may not be closed before.
 */
export async function settleAll<T extends readonly unknown[] | []>(
  work: T,
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}
