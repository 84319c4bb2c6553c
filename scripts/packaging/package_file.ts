/** Reads single files of npm packages, without running anything of them. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { denoCommand } from "./deno_command.ts";

/** A file inside an npm package. */
export interface PackageFile {
  readonly package: string;
  readonly version: string;
  /** In the package. */
  readonly path: string;
  /** Of the file, in hex: whoever finds other bytes stops. */
  readonly sha256: string;
}

/** The parts of `deno info --json` that are read here. */
export interface PackagesInfo {
  /** By `NAME@VERSION`, with what else tells apart the copies of a package behind it. */
  readonly npmPackages: Readonly<
    Record<string, {
      readonly name: string;
      readonly version: string;
      /** The folder in Deno's cache. */
      readonly localPath: string;
    }>
  >;
}

/**
 * The bytes of a file of a package. Deno's npm client fetches the package into its cache, also one that
 * is for another platform, and no script of it is run.
 *
 * @throws {Error} if the package cannot be had or the file is not the pinned one.
 */
export async function readPackageFile(file: PackageFile): Promise<Uint8Array> {
  const id = `${file.package}@${file.version}`;
  // A JSON file stands for the package: there is nothing in it to run.
  const specifier = `npm:${id}/package.json`;
  const flags = ["--quiet", "--no-config", "--no-lock"];
  await denoCommand(["cache", ...flags, specifier]);
  const info: PackagesInfo = JSON.parse(await denoCommand(["info", "--json", ...flags, specifier]));
  const folder = info.npmPackages[id]?.localPath;
  if (folder === undefined) throw new Error(`${id} is not in Deno's npm cache`);
  const bytes = await Deno.readFile(join(folder, file.path));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== file.sha256) {
    throw new Error(`${file.path} of ${id} has SHA-256 ${sha256}, not ${file.sha256}`);
  }
  return bytes;
}
