import { BUILD } from "#build";

/** What a build knows about itself. */
export interface BuildInfo {
  /** As in deno.json. */
  readonly version: string;
  /** The commit it was made of; undefined when run from sources. */
  readonly commit: string | undefined;
}

/** The version of this build, as in deno.json. */
export const VERSION = BUILD.version;

/** The version of the QUIC core inside the native addon; a packed build is checked against it. */
export const QUICHE_VERSION = "0.18.0";

/** What `--version` prints: the version alone on the first line, then what else a bug report needs. */
export function versionText(): string {
  const commit = BUILD.commit === undefined ? "from sources" : `commit ${BUILD.commit}`;
  return `landropic ${VERSION}\n` +
    `${commit}, ${platform()}, Deno ${Deno.version.deno}, quiche ${QUICHE_VERSION}`;
}

/** This platform, as the executables are named. */
function platform(): string {
  const os = Deno.build.os === "darwin" ? "macos" : Deno.build.os;
  return `${os}-${Deno.build.arch === "x86_64" ? "x64" : "arm64"}`;
}
