/** Builds executables from a checkout. */
import { Buffer } from "node:buffer";
import { QUICHE_VERSION } from "../../src/cli/version.ts";
import { type BuildFacts, readBuildFacts } from "./build_facts.ts";
import { bundleProgram } from "./bundle.ts";
import { packExecutable } from "./executable.ts";
import { readPackageFile } from "./package_file.ts";
import { BUILDER_VERSION, type Target } from "./target.ts";

/** One finished executable. */
export interface BuiltExecutable {
  readonly target: Target;
  readonly bytes: Uint8Array;
  readonly facts: BuildFacts;
  /** Absolute paths of the files that its bundled modules come from. */
  readonly sources: readonly string[];
}

/**
 * Builds an executable for each platform, one after the other; the program is bundled once.
 *
 * @param root The checkout's folder.
 */
export async function* buildExecutables(
  root: string,
  targets: readonly Target[],
): AsyncGenerator<BuiltExecutable> {
  if (Deno.version.deno !== BUILDER_VERSION) {
    const command = `npx -y deno@${BUILDER_VERSION} task compile`;
    throw new Error(`this is Deno ${Deno.version.deno}; build with \`${command}\``);
  }
  const facts = await readBuildFacts(root);
  const { modules, sources } = await bundleProgram(root, facts);
  for (const target of targets) {
    const runtime = await readPackageFile(target.runtime);
    const addon = await readPackageFile(target.addon);
    checkQuiche(addon, target.name);
    const parts = { version: facts.version, target, modules, runtime, addon };
    yield { target, bytes: await packExecutable(parts), facts, sources };
  }
}

/** The addon's own texts name the source folder of its core. */
function checkQuiche(addon: Uint8Array, target: string): void {
  const [, found] = /quiche-(\d+\.\d+\.\d+)/.exec(Buffer.from(addon).toString("latin1")) ?? [];
  if (found === QUICHE_VERSION) return;
  throw new Error(`the addon for ${target} has quiche ${found}, --version says ${QUICHE_VERSION}`);
}
