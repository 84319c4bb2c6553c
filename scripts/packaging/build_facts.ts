/** What a build is made of: the version and the commit. */

/** What goes into the executable as its `#build`. */
export interface BuildFacts {
  readonly version: string;
  /** 12 hex digits, with `+changes` behind them if tracked files differ from that commit. */
  readonly commit: string;
}

/**
 * Reads the facts of a checkout. Where there is no git or no repository, such as in an unpacked source
 * archive, the commit is `unknown`.
 *
 * @param root The checkout's folder.
 */
export async function readBuildFacts(root: string): Promise<BuildFacts> {
  const { version } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
  const head = await git(root, ["rev-parse", "HEAD"]);
  if (head === undefined) return { version, commit: "unknown" };
  const changes = await git(root, ["status", "--porcelain", "--untracked-files=no"]);
  return { version, commit: head.slice(0, 12) + (changes === "" ? "" : "+changes") };
}

async function git(root: string, args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("git", { args, cwd: root, stderr: "null" })
      .output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
