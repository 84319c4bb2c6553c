import assert from "node:assert/strict";
import { concat, fromHex, utf8 } from "../../src/base/bytes.ts";
import type { RelPath } from "../../src/base/paths.ts";
import { ByteWriter } from "../../src/base/varint.ts";
import {
  decodeRequest,
  encodeRequest,
  GET_FILES_MAX,
  readRequest,
  type Request,
  REQUEST_BYTES_MAX,
} from "../../src/protocol/mod.ts";
import { LandropicError } from "../../src/base/errors.ts";

const path = (text: string) => text as RelPath;
const REQUESTS: Request[] = [
  { kind: "get-dirs", session: 1, dirs: ["", path("a/b")] },
  { kind: "get-digests", session: 1, paths: [path("a")] },
  {
    kind: "get-earlier",
    session: 1,
    versions: [{ path: path("a"), size: 2 ** 40, mtimeMs: -1 }, {
      path: path("b/c"),
      size: 0,
      mtimeMs: 1_700_000_000_123,
    }],
  },
  { kind: "get-disk-bytes", session: 1, paths: [path("a"), path("b/c")] },
  { kind: "get-recipe", session: 2 ** 31, path: path("a"), groups: [0, 5000] },
  { kind: "get-files", session: 1, files: [{ path: path("ä/b"), offset: 2 ** 40 }] },
  {
    kind: "get-ranges",
    session: 1,
    path: path("a"),
    size: 2 ** 40,
    mtimeMs: -5,
    ranges: [{ offset: 1, length: 2 }],
  },
  { kind: "apply", session: 1 },
  { kind: "bench", session: 0, direction: "download", durationMs: 60_000 },
];

function source(bytes: Uint8Array, step: number) {
  let offset = 0;
  return {
    read(into: Uint8Array) {
      if (offset === bytes.length) return Promise.resolve(null);
      const part = bytes.subarray(offset, offset + Math.min(step, into.length));
      into.set(part);
      offset += part.length;
      return Promise.resolve(part.length);
    },
    get rest() {
      return bytes.length - offset;
    },
  };
}

for (const request of REQUESTS) {
  Deno.test(`readRequest() reads back ${request.kind} and not a byte more`, async () => {
    for (const step of [1, 1000]) {
      const from = source(concat([encodeRequest(request), utf8("tail")]), step);
      assert.deepEqual(await readRequest(from), request);
      assert.equal(from.rest, 4);
    }
  });
}

Deno.test("encodeRequest() of get-files has these bytes", () => {
  const expected = fromHex(`
    04        # kind: get-files
    07        # session 7
    05        # five bytes follow
    01        # one file
    02 61 62  # path "ab"
    03        # from offset 3`.replace(/#.*/g, ""));
  const request = {
    kind: "get-files",
    session: 7,
    files: [{ path: path("ab"), offset: 3 }],
  } as const;
  assert.deepEqual(encodeRequest(request), expected);
});

for (
  const hostile of [
    "..",
    "../x",
    "/etc/passwd",
    "a//b",
    "a/",
    "a\0b",
    "a\nb",
    ".landropic/id",
    ".LANDROPIC/x",
    ".land\u200cropic/x",
    "x/./y",
    "n".repeat(256),
    "d/".repeat(200) + "f",
  ]
) {
  Deno.test(`decodeRequest() refuses the path ${JSON.stringify(hostile.slice(0, 30))}`, () => {
    const payload = new ByteWriter().varint(1).lv(utf8(hostile)).varint(0).finish();
    assert.throws(() => decodeRequest("get-files", 1, payload), LandropicError);
  });
}

Deno.test("readRequest() reserves nothing for a length that was merely announced", async () => {
  const head = concat([fromHex("04 00"), new ByteWriter().varint(REQUEST_BYTES_MAX).finish()]);
  const from = source(head, 1);
  let roomMax = 0;
  const reading = readRequest({
    read: (into) => {
      roomMax = Math.max(roomMax, into.length);
      return from.read(into);
    },
  });
  await assert.rejects(reading, { code: "protocol" });
  assert.ok(roomMax > 0 && roomMax <= 64 * 1024, `${roomMax} bytes`);
});

Deno.test("readRequest() refuses unknown kinds, long payloads, early ends, too many items, trailing bytes", async () => {
  const cases = [
    fromHex("63 00 00"), // unknown kind
    fromHex("04 00 bf ff ff ff"), // length of 1 GiB
    fromHex("04 00 05 01"), // ends early
    fromHex("04 00 03 01 01"), // payload ends early
    encodeRequest({ kind: "apply", session: 1 }).slice(0, 1),
    concat([fromHex("06 00 01"), new Uint8Array(1)]), // apply with a payload
    fromHex("08 00 03 00 80 01"), // bench with an integer cut off
    fromHex("08 00 05 00 80 00 ea 61"), // bench of 60 001 ms
    fromHex("08 00 02 00 00"), // bench of no time
    fromHex("08 00 02 02 05"), // bench in no direction
    fromHex("08 01 02 00 05"), // bench in a session
    concat([fromHex("04 00 02"), new ByteWriter().varint(GET_FILES_MAX + 1).finish()]),
  ];
  for (const bytes of cases) {
    await assert.rejects(readRequest(source(bytes, 7)), LandropicError);
  }
});
