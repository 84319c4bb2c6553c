/**
 * Makes the files of a release in dist/release: `deno task release`.
 *
 * For each platform an archive of the executable, its licences and how to install it; SHA256SUMS for
 * `sha256sum -c`. Of a commit alone: tracked files that differ from it stop the release. The same commit
 * gives the same bytes.
 */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { buildExecutables } from "./packaging/build.ts";
import { readBuildFacts } from "./packaging/build_facts.ts";
import { gzip } from "./packaging/gzip.ts";
import { thirdPartyLicences } from "./packaging/licences.ts";
import { tarArchive, type TarFile } from "./packaging/tar.ts";
import { TARGETS } from "./packaging/target.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const folder = `${root}/dist/release`;

try {
  const { version, commit } = await readBuildFacts(root);
  if (!/^[0-9a-f]+$/.test(commit)) {
    throw new Error(`a release is made of a commit, not of ${commit}`);
  }
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
  const sums: string[] = [];
  for await (const { target, bytes, sources } of buildExecutables(root, TARGETS)) {
    const base = `landropic-${version}-${target.name}`;
    const licences = await thirdPartyLicences({ root, target, sources });
    const archive = gzip(tarArchive([
      { name: `${base}/landropic`, mode: 0o755, bytes },
      textFile(`${base}/LICENSE`, await Deno.readTextFile(`${root}/LICENSE`)),
      textFile(`${base}/THIRD-PARTY-LICENSES.txt`, licences),
      textFile(`${base}/INSTALL.md`, await Deno.readTextFile(`${root}/docs/install.md`)),
    ]));
    const name = `${base}.tar.gz`;
    await Deno.writeFile(`${folder}/${name}`, archive);
    sums.push(`${createHash("sha256").update(archive).digest("hex")}  ${name}\n`);
    console.log(`${folder}/${name}  ${(archive.length / 1e6).toFixed(1)} MB`);
  }
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, sums.join(""));
  console.log(`${folder}/SHA256SUMS`);
} catch (error) {
  console.error(`release: ${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}

function textFile(name: string, text: string): TarFile {
  return { name, mode: 0o644, bytes: new TextEncoder().encode(text) };
}
