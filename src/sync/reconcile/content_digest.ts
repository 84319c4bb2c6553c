import { utf8 } from "../../base/bytes.ts";
import { type Digest, sha256Of } from "../../base/digest.ts";
import { compareNames } from "../../base/paths.ts";
import { ByteWriter } from "../../base/varint.ts";

/** An entry with everything that makes up its contents. */
export type ContentEntry =
  | {
    readonly kind: "file";
    readonly name: string;
    readonly size: number;
    /** The file digest. */
    readonly digest: Digest;
  }
  /** `digest` is the directory's own content digest. */
  | { readonly kind: "dir"; readonly name: string; readonly digest: Digest }
  | { readonly kind: "link"; readonly name: string; readonly target: string };

const DOMAIN = utf8("LDR-dir/1");
const KIND = { file: 1, dir: 2, link: 3 } as const;

/**
 * The digest of a directory's contents, names included and times and modes left out: both sides compute it
 * to prove that a moved directory is the same one.
 *
 * SHA-256("LDR-dir/1" ‖ varint count ‖ for each entry in byte order of names: kind u8 (1 file, 2 directory,
 * 3 link) | lv name | file: varint size, 32-byte file digest | directory: 32-byte content digest | link:
 * lv target).
 */
export function contentDigest(entries: readonly ContentEntry[]): Digest {
  const writer = new ByteWriter(64 * entries.length + 8).varint(entries.length);
  for (const entry of entries.toSorted((a, b) => compareNames(a.name, b.name))) {
    writer.u8(KIND[entry.kind]).lv(utf8(entry.name));
    if (entry.kind === "link") writer.lv(utf8(entry.target));
    else if (entry.kind === "file") writer.varint(entry.size).raw(entry.digest);
    else writer.raw(entry.digest);
  }
  return sha256Of([DOMAIN, writer.finish()]);
}
