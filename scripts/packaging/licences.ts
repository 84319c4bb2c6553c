/** Writes down the licences of everything inside an executable. */
import { sep } from "node:path";
import { denoCommand } from "./deno_command.ts";
import { type PackageFile, type PackagesInfo, readPackageFile } from "./package_file.ts";
import type { Target } from "./target.ts";

/** What the text is about. */
export interface LicencesInput {
  /** The checkout's folder. */
  readonly root: string;
  readonly target: Target;
  /** Absolute paths of the files that the bundled modules come from. */
  readonly sources: readonly string[];
}

/**
 * The licences of all third-party parts of an executable, as one text: the npm packages that its modules
 * come from with the texts they carry, then the parts of the native files.
 *
 * @throws {Error} if a bundled package carries no licence.
 */
export async function thirdPartyLicences(input: LicencesInput): Promise<string> {
  const { target } = input;
  const texts: SpdxList = JSON.parse(new TextDecoder().decode(await readPackageFile(SPDX_TEXTS)));
  const parts = [
    ...(await bundledPackages(input)).map((found) => section(found.title, [found.text])),
    ...nativeParts(target).map(({ title, copyright, licences }) =>
      section(title, [copyright, ...licences.map((id) => withoutBlanks(texts[id]!.licenseText))])
    ),
  ];
  return `landropic is under the MIT licence (LICENSE). Its executable contains the following parts.\n${
    parts.join("")
  }`;
}

type SpdxList = Readonly<Record<string, { readonly licenseText: string }>>;

function section(title: string, paragraphs: readonly string[]): string {
  return `\n${"=".repeat(80)}\n${title}\n${"=".repeat(80)}\n\n${
    paragraphs.map((text) => text.trim()).join("\n\n")
  }\n`;
}

async function bundledPackages({ root, sources }: LicencesInput) {
  const info: PackagesInfo = JSON.parse(await denoCommand(["info", "--json", "main.ts"], root));
  const isBundled = (folder: string) => sources.some((path) => path.startsWith(folder + sep));
  const packages = Object.values(info.npmPackages).filter(({ localPath }) => isBundled(localPath));
  const titled = packages.map(({ name, version, localPath }) => {
    const { license } = JSON.parse(Deno.readTextFileSync(`${localPath}/package.json`));
    return { title: `${name} ${version} (${license})`, text: licenceText(localPath) };
  });
  // One package may be there several times, for several sets of peers.
  const byTitle = new Map(titled.map((found) => [found.title, found]));
  return [...byTitle.values()].sort((a, b) => a.title < b.title ? -1 : 1);
}

function licenceText(folder: string): string {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  const files = names.filter((name) =>
    /^(licen[cs]e|copying|notice|copyrightnotice)\b/i.test(name)
  );
  if (files.length === 0) throw new Error(`${folder} has no licence`);
  return files.map((name) => Deno.readTextFileSync(`${folder}/${name}`).trim()).join("\n\n");
}

/** Without the lines to be filled in with a name, which stands above. */
function withoutBlanks(text: string): string {
  return text.split("\n").filter((line) => !/<(year|owner|copyright holders)>/.test(line)).join(
    "\n",
  );
}

interface NativePart {
  readonly title: string;
  readonly copyright: string;
  /** SPDX identifiers. */
  readonly licences: readonly string[];
}

/** The native files carry no texts of their own: who holds the rights, and under which licence. */
function nativeParts({ runtime, addon }: Target): NativePart[] {
  return [
    {
      title: `Deno ${runtime.version} (MIT), the runtime`,
      copyright: "Copyright 2018-2026 the Deno authors\n\n" +
        "Deno contains further libraries under permissive licences; its source names them.",
      licences: ["MIT"],
    },
    {
      title: "V8 (BSD-3-Clause), in the runtime",
      copyright: "Copyright 2006-2011, the V8 project authors. All rights reserved.",
      licences: ["BSD-3-Clause"],
    },
    {
      title: "ICU (Unicode-3.0), in the runtime",
      copyright: "Copyright (c) 1991-2023 Unicode, Inc.",
      licences: ["Unicode-3.0"],
    },
    {
      title: `@matrixai/quic ${addon.version} (Apache-2.0), the addon`,
      copyright: "Copyright Matrix AI\n\n" +
        "The addon contains further Rust libraries under permissive licences; the Cargo.lock of\n" +
        "its source names them.",
      licences: ["Apache-2.0"],
    },
    {
      title: "quiche (BSD-2-Clause), in the addon",
      copyright: "Copyright (C) 2018, Cloudflare, Inc.\nCopyright (C) 2018, Alessandro Ghedini",
      licences: ["BSD-2-Clause"],
    },
    {
      title: "BoringSSL (OpenSSL and ISC), in the addon",
      copyright: "Copyright (c) 1998-2011 The OpenSSL Project. All rights reserved.\n" +
        "Copyright (C) 1995-1998 Eric Young (eay@cryptsoft.com). All rights reserved.\n" +
        "Copyright (c) 2014, Google Inc.",
      licences: ["OpenSSL", "ISC"],
    },
    {
      title: "ring (ISC and OpenSSL), in the addon",
      copyright: "Copyright 2015-2016 Brian Smith.",
      licences: ["ISC", "OpenSSL"],
    },
  ];
}

/** The texts of licences, by their SPDX identifiers. */
const SPDX_TEXTS: PackageFile = {
  package: "spdx-license-list",
  version: "6.12.0",
  path: "spdx-full.json",
  sha256: "a2af313af682077111b673033e763108d33e6af9b02e7f08b380f544180bcfd6",
};
