import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, equalBytes, fromHex, toHex, utf8 } from "../../../src/base/bytes.ts";
import { sha256 } from "../../../src/base/digest.ts";
import { contentDigest, type ContentEntry } from "../../../src/sync/reconcile/mod.ts";

const digest = sha256(utf8("x"));

Deno.test("contentDigest() hashes exactly the bytes that its comment says", () => {
  const bytes = concat([
    utf8("LDR-dir/1"),
    fromHex("03"), // count
    fromHex("02 01 61"), // directory "a"
    digest,
    fromHex("01 01 62 4400"), // file "b" of 1024 bytes
    digest,
    fromHex("03 01 63 02 2e2e"), // link "c" to ".."
  ]);
  const entries: ContentEntry[] = [
    { kind: "link", name: "c", target: ".." },
    { kind: "file", name: "b", size: 1024, digest },
    { kind: "dir", name: "a", digest },
  ];
  assert.deepEqual(contentDigest(entries), sha256(bytes));
});

Deno.test("contentDigest() does not depend on order and differs for every difference", () => {
  const entry: fc.Arbitrary<ContentEntry> = fc.oneof(
    fc.record({
      kind: fc.constant("file" as const),
      name: fc.constantFrom("a", "b", "c"),
      size: fc.nat(3),
      digest: fc.constantFrom(digest, sha256(digest)),
    }),
    fc.record({
      kind: fc.constant("link" as const),
      name: fc.constantFrom("a", "b", "c"),
      target: fc.constantFrom("x", "y"),
    }),
  );
  const dir = fc.uniqueArray(entry, { selector: (e) => e.name, maxLength: 3 });
  const text = (entries: ContentEntry[]) =>
    entries.map((e) => e.kind === "link" ? `${e.name} ${e.target}` : fileText(e)).sort().join();
  const fileText = (e: ContentEntry & { kind: "file" | "dir" }) =>
    `${e.name} ${e.kind === "file" ? e.size : ""} ${toHex(e.digest)}`;
  fc.assert(fc.property(dir, dir, (a, b) => {
    const digests = [contentDigest(a), contentDigest(b)];
    assert.equal(equalBytes(digests[0]!, digests[1]!), text(a) === text(b));
    assert.deepEqual(contentDigest(a.toReversed()), digests[0]);
  }));
});
