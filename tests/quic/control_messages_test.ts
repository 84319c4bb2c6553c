import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex } from "../../src/base/bytes.ts";
import {
  encodeLocalMessage,
  LOCAL_MESSAGE_BYTES_MAX,
  readControl,
  SEGMENT_MESSAGE_BYTES,
  writeSegmentMessage,
} from "../../src/quic/control_messages.ts";

const IPV4 = new Uint8Array([192, 0, 2, 7]);
const IPV6 = fromHex("fe800000000000000000000000000001");

Deno.test("encodeLocalMessage() writes what the kernel's structures hold", () => {
  assert.deepEqual(
    encodeLocalMessage(IPV4, 0),
    // length 28, IPPROTO_IP, IP_PKTINFO; index, address to send from, unused; padding
    fromHex("1c00000000000000 00000000 08000000 00000000 c0000207 00000000 00000000"),
  );
  assert.deepEqual(
    encodeLocalMessage(IPV6, 3),
    // length 36, IPPROTO_IPV6, IPV6_PKTINFO; address, index; padding
    fromHex(
      "2400000000000000 29000000 32000000 fe800000000000000000000000000001 03000000 00000000",
    ),
  );
  assert(encodeLocalMessage(IPV6, 3).length <= LOCAL_MESSAGE_BYTES_MAX);
});

Deno.test("readControl() finds size and address in either order, among other messages", () => {
  const gro = fromHex("1400000000000000 11000000 68000000 c0050000 00000000");
  const other = fromHex("1800000000000000 01000000 1d000000 0102030405060708");
  const local = encodeLocalMessage(IPV6, 0);
  for (const parts of [[gro, local], [local, gro], [other, gro, other, local]]) {
    const bytes = concat(parts);
    const control = { segmentBytes: 9, localAt: 9 };
    readControl(new DataView(bytes.buffer), 0, bytes.length, control);
    assert.equal(control.segmentBytes, 0x5c0);
    assert.deepEqual(bytes.subarray(control.localAt, control.localAt + 16), IPV6);
  }
  const bytes = encodeLocalMessage(IPV4, 5);
  const control = { segmentBytes: 9, localAt: 9 };
  readControl(new DataView(bytes.buffer), 0, bytes.length, control);
  assert.equal(control.segmentBytes, 0);
  assert.deepEqual(bytes.subarray(control.localAt, control.localAt + 4), IPV4);
});

Deno.test("readControl() ends on any bytes, and stays inside them", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 160 }), (random) => {
    const bytes = random.slice();
    const control = { segmentBytes: 0, localAt: 0 };
    readControl(new DataView(bytes.buffer), 0, bytes.length, control);
    assert(control.localAt === 0 || control.localAt + 8 <= bytes.length);
  }));
});

Deno.test("writeSegmentMessage() writes what the kernel's structure holds", () => {
  const bytes = new Uint8Array(SEGMENT_MESSAGE_BYTES);
  writeSegmentMessage(new DataView(bytes.buffer), 0, 1472);
  assert.deepEqual(bytes, fromHex("1200000000000000 11000000 67000000 c005 000000000000"));
});
