/** One thing that was looked at: all right, or what to do about it. */
export interface Check {
  /** What was looked at, in a word or two. */
  readonly name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly message: string;
  /** The next thing to do. */
  readonly hint?: string;
}
