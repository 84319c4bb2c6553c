import assert from "node:assert/strict";
import fc from "fast-check";
import { BadValue } from "../../../src/cli/values/bad_value.ts";
import {
  NAME_LENGTH_MAX,
  parseDeviceIdText,
  parseName,
  parsePeerRef,
  parsePeerShare,
  parseShareSpec,
} from "../../../src/cli/values/names.ts";

const DEVICE_ID = "MFZWI3D-BONSGYC-YLTMRWG-C43ENRQ-XGZDMMF-ZWI3DBO-NSGYCYL-TMRWGC4";

Deno.test("parseName() accepts what can be typed and refuses what would be misread", () => {
  const parse = parseName("peer");
  for (const good of ["nas", "Anna's laptop", "büro", "写真", "a.b_c-d", "x".repeat(64), "👩‍💻"]) {
    assert.equal(parse(good), good);
  }
  const bad = ["", "-rf", ".hidden", "a:b", "a=b", "a/b", "a\\b", "a,b", " a", "a ", "a\nb"];
  for (const text of [...bad, "a\u202eb", "a\u0000", "a\u001b[31m", "x".repeat(65), "\u200b"]) {
    assert.throws(() => parse(text), BadValue, JSON.stringify(text));
  }
});

Deno.test("parseName() counts characters, not UTF-16 units", () => {
  assert.equal(parseName("share")("😀".repeat(NAME_LENGTH_MAX)).length, NAME_LENGTH_MAX * 2);
  assert.throws(() => parseName("share")("😀".repeat(NAME_LENGTH_MAX + 1)), BadValue);
});

Deno.test("parsePeerRef() takes names, device ids and beginnings of ids, but no paths", () => {
  for (const good of ["nas", DEVICE_ID, DEVICE_ID.toLowerCase(), "MFZWI3D"]) {
    assert.equal(parsePeerRef(good), good);
  }
  for (const path of ["/home/me", "./x", "..", ".", "~/x", "C:\\x", "c:/x", "a/b", "a\\b"]) {
    assert.throws(() => parsePeerRef(path), { message: "that is a path, not a peer" }, path);
  }
  assert.throws(() => parsePeerRef("nas:photos"), BadValue);
});

Deno.test("parsePeerShare() splits at the colon", () => {
  assert.deepEqual(parsePeerShare("nas"), { peer: "nas", share: undefined });
  assert.deepEqual(parsePeerShare("nas:photos"), { peer: "nas", share: "photos" });
  assert.deepEqual(parsePeerShare(`${DEVICE_ID}:a b`), { peer: DEVICE_ID, share: "a b" });
  const bad = ["", ":", "nas:", ":photos", "nas:a:b", "nas:a/b", "nas:..", "C:\\photos", "./nas:x"];
  for (const text of bad) assert.throws(() => parsePeerShare(text), BadValue, text);
});

Deno.test("parseShareSpec() keeps colons and equals signs of the folder", () => {
  const cases: [string, string, string, boolean][] = [
    ["photos=/srv/photos", "photos", "/srv/photos", false],
    ["photos=/srv/photos:ro", "photos", "/srv/photos", true],
    ["photos=/srv/photos:rw", "photos", "/srv/photos", false],
    ["docs=C:\\docs", "docs", "C:\\docs", false],
    ["docs=C:\\docs:ro", "docs", "C:\\docs", true],
    ["a=/mnt/a:b=c", "a", "/mnt/a:b=c", false],
    ["a=/mnt/x:ro:ro", "a", "/mnt/x:ro", true],
    ["a=/mnt/x:ro:rw", "a", "/mnt/x:ro", false],
    ["a=.", "a", ".", false],
    ["a=x:RO", "a", "x:RO", false],
    ["a b=/srv/x/", "a b", "/srv/x/", false],
  ];
  for (const [text, name, dir, readOnly] of cases) {
    assert.deepEqual(parseShareSpec(text), { name, dir, readOnly }, text);
  }
  for (const text of ["", "=", "=/srv", "/srv/photos", "a=", "a=:ro", "a/b=/srv", "a:b=/srv"]) {
    assert.throws(() => parseShareSpec(text), BadValue, text);
  }
});

Deno.test("parseShareSpec() loses nothing of any folder's path", () => {
  const path = fc.string({ minLength: 1, unit: fc.constantFrom(..."ab:=/\\ ro") });
  fc.assert(fc.property(path, fc.boolean(), (dir, readOnly) => {
    const text = `share=${dir}:${readOnly ? "ro" : "rw"}`;
    assert.deepEqual(parseShareSpec(text), { name: "share", dir, readOnly });
  }));
});

Deno.test("parseDeviceIdText() wants 56 letters and digits, however they are grouped", () => {
  for (const text of [DEVICE_ID, DEVICE_ID.toLowerCase(), DEVICE_ID.replaceAll("-", " ")]) {
    assert.equal(parseDeviceIdText(text), text);
  }
  const bad = ["", "nas", DEVICE_ID.slice(1), DEVICE_ID + "A", DEVICE_ID.replace("M", "9")];
  for (const text of bad) assert.throws(() => parseDeviceIdText(text), BadValue, text);
});
