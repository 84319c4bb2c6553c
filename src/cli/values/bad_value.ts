/**
 * A text from the command line, the environment or the config file that is no value of its kind.
 *
 * Parsers throw it with the reason alone; whoever knows where the text came from wraps it into a
 * `UsageError` that names the flag or variable.
 */
export class BadValue extends Error {
  override readonly name = "BadValue";
  /**
   * @param message What was expected, without the value itself.
   * @param hint The next thing to try, one line.
   */
  constructor(message: string, readonly hint?: string) {
    super(message);
  }
}
