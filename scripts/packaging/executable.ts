/** Puts the parts together into one executable file: a shell script with a gzipped tar behind it. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gzip } from "./gzip.ts";
import { TUNABLES } from "./preludes.ts";
import { tarArchive, type TarFile } from "./tar.ts";
import type { Target } from "./target.ts";
import { V8_FLAGS } from "./v8_flags.ts";

/** What goes into an executable. */
export interface ExecutableParts {
  readonly version: string;
  readonly target: Target;
  /** Bundled modules by file name, `main.mjs` among them. */
  readonly modules: ReadonlyMap<string, string>;
  /** The runtime, an executable itself. */
  readonly runtime: Uint8Array;
  /** The native addon. */
  readonly addon: Uint8Array;
}

/** The bytes of the executable. They depend on the parts alone. */
export async function packExecutable(parts: ExecutableParts): Promise<Uint8Array> {
  const files = filesOf(parts);
  const payload = gzip(tarArchive(files));
  const stub = await fillStub(parts, files, createHash("sha256").update(payload).digest("hex"));
  return Buffer.concat([stub, payload]);
}

/** By name, as `ls` lists them in the C locale. */
function filesOf({ modules, runtime, addon }: ExecutableParts): TarFile[] {
  const files: TarFile[] = [
    { name: "deno", mode: 0o700, bytes: runtime },
    { name: "quic.node", mode: 0o600, bytes: addon },
  ];
  for (const [name, text] of modules) {
    files.push({ name, mode: 0o600, bytes: new TextEncoder().encode(text) });
  }
  for (const { name } of files) {
    if (!/^\w[\w.]*$/.test(name)) throw new Error(`the stub cannot handle the file name ${name}`);
  }
  return files.sort((a, b) => a.name < b.name ? -1 : 1);
}

async function fillStub(
  { version, target }: ExecutableParts,
  files: readonly TarFile[],
  payloadSha256: string,
): Promise<Uint8Array> {
  const template = await Deno.readTextFile(new URL("./stub.sh", import.meta.url));
  const bytes = files.reduce((total, file) => total + file.bytes.length, 0);
  const values: Record<string, string> = {
    VERSION: version,
    TARGET: target.name,
    UNAME: target.uname,
    LOADER: target.loader ?? "/",
    ID: payloadSha256.slice(0, ID_DIGITS),
    SUM: payloadSha256,
    MEGABYTES: String(Math.ceil(bytes / 1e6)),
    FLAGS: RUN_FLAGS.join(" "),
    TUNABLES,
    FILES: files.map(({ name }) => name).join(" "),
    WANT: files.map((file) => `${file.bytes.length} ${file.name},`).join(""),
  };
  const fill = (skip: number) =>
    template.replace(
      /@([A-Z]+)@/g,
      (mark, name) => name === "SKIP" ? `${skip}` : values[name] ?? mark,
    );
  // The text names its own size, so it is filled up to one that does not depend on that number's digits.
  const size = Math.ceil((fill(10 ** 6).length + 1) / STUB_STEP) * STUB_STEP;
  const text = fill(size + 1);
  return new TextEncoder().encode(text + "#".repeat(size - 1 - text.length) + "\n");
}

/**
 * What the program runs with. Nothing is ever fetched, no file of the folder the user is in is obeyed,
 * and nothing is ever asked.
 */
const RUN_FLAGS = [
  "--quiet",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--cached-only",
  "--no-prompt",
  // All: the runtime keeps /dev, /proc and /sys from programs with less, and a share may lie in /dev/shm.
  // With the C library at hand (sockets, files) a shorter list would keep nobody from anything.
  "--allow-all",
  V8_FLAGS,
];

const ID_DIGITS = 16;
const STUB_STEP = 1024;
