/** Runs the Deno that runs this script. */

/**
 * Runs `deno` and returns what it printed to stdout.
 *
 * @param cwd The current folder of the command; this process's where it is left out.
 * @throws {Error} with the command's stderr if it fails.
 */
export async function denoCommand(args: readonly string[], cwd?: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    ...(cwd === undefined ? {} : { cwd }),
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(`deno ${args[0]} failed:\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
