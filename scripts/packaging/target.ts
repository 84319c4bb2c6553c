/** The platforms an executable can be built for, and the native files inside it. */
import type { PackageFile } from "./package_file.ts";

/** One platform. */
export interface Target {
  /** As users see it: `linux-x64`. */
  readonly name: string;
  /** What `uname -s` and `uname -m` print there, with a space between. */
  readonly uname: string;
  /** A file that every system has on which the native files run, if there is one to look for. */
  readonly loader?: string;
  readonly runtime: PackageFile;
  readonly addon: PackageFile;
}

/** The Deno that bundles; another one bundles to other bytes. */
export const BUILDER_VERSION = "2.9.6";

const QUIC_VERSION = "1.2.12";

export const TARGETS: readonly Target[] = [
  {
    name: "linux-x64",
    uname: "Linux x86_64",
    loader: "/lib64/ld-linux-x86-64.so.2",
    runtime: deno(
      "linux-x64-glibc",
      "2.9.6",
      "bceb5b6a6239b0b010418406d8c77a508f67cf4337d94288f1c19fe71304aab0",
    ),
    addon: quic("linux-x64", "6cd2939d2f6163b364e441acf40f75672ef363e82ab20b470949e8d882d471ce"),
  },
  {
    name: "macos-arm64",
    uname: "Darwin arm64",
    runtime: deno(
      "darwin-arm64",
      "2.9.5",
      "b5bd08edab254d42d7b05aa5b6cb4c9b8d4dede4975aff76951ce2cce18866fa",
    ),
    addon: quic("darwin-arm64", "7760d4d48ba07d104dc5ce94efbe3885a292f77f857e98027b4b99f6c16af6ca"),
  },
  {
    name: "macos-x64",
    uname: "Darwin x86_64",
    runtime: deno(
      "darwin-x64",
      "2.9.5",
      "befc4fee79127584c0f5c9f76ca6bb73c8e6ff523c01acd52e9c5db1968a09cb",
    ),
    addon: quic("darwin-x64", "81de95e4dbc961f457d8c7fb310c817ff6dc78d12aa4ef1b281f416d3bc54b5b"),
  },
];

/** The platform this runs on, if executables are built for it. */
export function hostTarget(): Target | undefined {
  const system = { linux: "Linux", darwin: "Darwin" }[Deno.build.os as string];
  const machine = Deno.build.arch === "x86_64" ? "x86_64" : "arm64";
  return TARGETS.find(({ uname }) => uname === `${system} ${machine}`);
}

function deno(platform: string, version: string, sha256: string): PackageFile {
  return { package: `@deno/${platform}`, version, path: "deno", sha256 };
}

function quic(platform: string, sha256: string): PackageFile {
  const version = QUIC_VERSION;
  return { package: `@matrixai/quic-${platform}`, version, path: "node.napi.node", sha256 };
}
