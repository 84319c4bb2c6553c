import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeBase32, encodeBase32 } from "../../../src/base/base32.ts";
import { concat, toHex, utf8 } from "../../../src/base/bytes.ts";
import {
  Invitation,
  INVITATION_LIFETIME_MAX_MS,
  type InvitationFields,
  looksLikeInvitation,
} from "../../../src/identity/pairing/invitation.ts";
import { PairingError, type PairingFailure } from "../../../src/identity/pairing/pairing_error.ts";

const NOW_MS = Date.UTC(2026, 5, 1);
const FIELDS: InvitationFields = {
  fingerprint: new Uint8Array(32).fill(0xab),
  expiresAtMs: NOW_MS + 600_000,
  port: 9876,
  addresses: ["192.168.1.20", "2001:db8::20"],
  name: "Desk",
};
const countingRandom = (length: number) => Uint8Array.from({ length }, (_, i) => i);

function refusal(run: () => unknown): PairingFailure {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof PairingError, String(error));
    return error.failure;
  }
  assert.fail("nothing was thrown");
}

/** A string with a right check around any struct. */
async function sealed(body: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(body)));
  return "LDR1:" + encodeBase32(concat([body, digest.subarray(0, 4)]));
}

function bodyOf(invitation: Invitation): Uint8Array {
  return decodeBase32(invitation.reveal().slice(5))!.subarray(0, -4);
}

Deno.test("Invitation.reveal() writes the documented struct", () => {
  const invitation = Invitation.create(FIELDS, NOW_MS, countingRandom);
  assert.equal(
    toHex(bodyOf(invitation)),
    "01" + "00" + "ab".repeat(32) + "000102030405060708090a0b0c0d0e0f" +
      (FIELDS.expiresAtMs / 1000).toString(16).padStart(8, "0") + "2694" + "02" +
      "04c0a80114" + "0620010db8000000000000000000000020" + "04" + toHex(utf8("Desk")),
  );
  assert.match(invitation.reveal(), /^LDR1:[A-Z2-7]+$/);
});

Deno.test("Invitation.decode() reads back every field, also wrapped, spaced and in lower case", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(fc.property(
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
    fc.integer({ min: 1, max: 0xffff }),
    fc.array(address, { maxLength: 4 }),
    fc.string({ unit: "grapheme", maxLength: 60 }),
    fc.integer({ min: 1000, max: INVITATION_LIFETIME_MAX_MS }),
    fc.constantFrom("", " ", "\n", "\r\n\t"),
    (fingerprint, port, addresses, name, lifetimeMs, gap) => {
      const made = Invitation.create(
        { fingerprint, port, addresses, name, expiresAtMs: NOW_MS + lifetimeMs },
        NOW_MS,
      );
      const text = made.reveal();
      const pasted = gap + text.slice(0, 3) + gap + text.slice(3, 40) + gap + text.slice(40) + gap;
      for (const spelling of [pasted, pasted.toLowerCase()]) {
        const read = Invitation.decode(spelling, NOW_MS);
        assert.equal(read.reveal(), text);
        assert.deepEqual(read.secret().password(), made.secret().password());
        assert.deepEqual(read.fingerprint, new Uint8Array(fingerprint));
        assert.equal(read.port, port);
        assert.equal(read.addresses.length, addresses.length);
        assert.equal(read.expiresAtMs, Math.floor((NOW_MS + lifetimeMs) / 1000) * 1000);
        assert.ok(utf8(read.name).length <= 32);
      }
    },
  ));
});

Deno.test("Invitation.decode() says truncated for every cut", () => {
  const text = Invitation.create(FIELDS, NOW_MS).reveal();
  for (let length = "LDR1:".length; length < text.length; length++) {
    const kind = refusal(() => Invitation.decode(text.slice(0, length), NOW_MS));
    assert.equal(kind, "invitation_truncated", `cut to ${length} of ${text.length}`);
  }
});

Deno.test("Invitation.decode() refuses every changed character", () => {
  const text = Invitation.create(FIELDS, NOW_MS, countingRandom).reveal();
  let checksums = 0;
  for (let at = "LDR1:".length; at < text.length; at++) {
    for (const character of ["A", "Q", "7", "0", "-"]) {
      if (character === text[at]) continue;
      const changed = text.slice(0, at) + character + text.slice(at + 1);
      const kind = refusal(() => Invitation.decode(changed, NOW_MS));
      if (kind === "invitation_checksum") checksums++;
      // Only a change in a length field can look like a cut.
      else assert.equal(kind, "invitation_truncated");
    }
  }
  assert.ok(checksums > (text.length - 5) * 4 * 0.9, `${checksums} named as checksum`);
});

Deno.test("Invitation.decode() refuses expired ones, forgiving a clock five minutes ahead", () => {
  const text = Invitation.create(FIELDS, NOW_MS).reveal();
  const skewMs = 5 * 60_000;
  Invitation.decode(text, FIELDS.expiresAtMs + skewMs);
  assert.equal(
    refusal(() => Invitation.decode(text, FIELDS.expiresAtMs + skewMs + 1)),
    "expired",
  );
});

Deno.test("Invitation.decode() asks for an update on newer prefixes, versions and flags", async () => {
  const body = bodyOf(Invitation.create(FIELDS, NOW_MS));
  const text = await sealed(body);
  Invitation.decode(text, NOW_MS);
  for (
    const newer of [
      text.replace("LDR1", "LDR2"),
      "LDR27:WHATEVER",
      await sealed(body.with(0, 2)),
      await sealed(body.with(1, 1)),
    ]
  ) assert.equal(refusal(() => Invitation.decode(newer, NOW_MS)), "invitation_unsupported");
});

Deno.test("Invitation.decode() refuses structs that no landropic makes, with a right checksum", async () => {
  const body = bodyOf(Invitation.create(FIELDS, NOW_MS));
  const countAt = 2 + 32 + 16 + 4 + 2;
  const bad: [string, Uint8Array][] = [
    ["five addresses", body.with(countAt, 5)],
    ["address family 5", body.with(countAt + 1, 5)],
    ["port 0", body.with(countAt - 2, 0).with(countAt - 1, 0)],
    [
      "name over 32 bytes",
      concat([body.subarray(0, -5), new Uint8Array([33]), new Uint8Array(33)]),
    ],
    ["name is not UTF-8", body.with(body.length - 1, 0xff)],
    ["bytes behind the end", concat([body, new Uint8Array(1)])],
    ["name cut off", body.subarray(0, -1)],
    ["nothing but a version", body.subarray(0, 1)],
  ];
  for (const [name, struct] of bad) {
    const text = await sealed(struct);
    assert.equal(refusal(() => Invitation.decode(text, NOW_MS)), "invitation_malformed", name);
  }
});

Deno.test("Invitation.decode() strips a hostile name", async () => {
  const body = bodyOf(Invitation.create({ ...FIELDS, name: "Desk" }, NOW_MS));
  const hostile = utf8("\x1b[2J\u202Ex");
  const text = await sealed(
    concat([body.subarray(0, -5), new Uint8Array([hostile.length]), hostile]),
  );
  assert.equal(Invitation.decode(text, NOW_MS).name, "[2Jx");
});

Deno.test("Invitation.decode() throws a PairingError and nothing else, whatever the text", () => {
  const base32 = fc.string({
    unit: fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    maxLength: 300,
  });
  fc.assert(fc.property(fc.oneof(fc.string(), base32.map((text) => `LDR1:${text}`)), (text) => {
    refusal(() => Invitation.decode(text, NOW_MS));
  }));
  assert.equal(
    refusal(() => Invitation.decode("LDR1:" + "A".repeat(1 << 20), NOW_MS)),
    "invitation_malformed",
  );
});

Deno.test("Invitation.create() refuses what cannot be carried", () => {
  const bad: Partial<InvitationFields>[] = [
    { fingerprint: new Uint8Array(31) },
    { port: 0 },
    { port: 65536 },
    { port: 1.5 },
    { expiresAtMs: NOW_MS },
    { expiresAtMs: NaN },
    { expiresAtMs: NOW_MS + INVITATION_LIFETIME_MAX_MS + 1 },
    { addresses: ["fe80::1%eth0"] },
    { addresses: ["desk.local"] },
    { addresses: ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5"] },
  ];
  for (const fields of bad) {
    assert.equal(
      refusal(() => Invitation.create({ ...FIELDS, ...fields }, NOW_MS)),
      "invitation_malformed",
      Deno.inspect(fields),
    );
  }
});

Deno.test("Invitation hides its secret from strings, JSON and inspection", () => {
  const invitation = Invitation.create(FIELDS, NOW_MS, countingRandom);
  const encoded = invitation.reveal().slice(5);
  const seen = [
    `${invitation}`,
    JSON.stringify({ invitation, secret: invitation.secret() }),
    Deno.inspect({ invitation, secret: invitation.secret() }, { depth: 9, showHidden: true }),
  ].join("\n");
  assert.ok(!seen.includes(encoded.slice(56, 80)));
  assert.doesNotMatch(seen, /0, 1, 2, 3, 4, 5, 6, 7|0001020304/);
  assert.match(seen, /hidden/);
});

Deno.test("looksLikeInvitation() tells invitations from codes", () => {
  assert.ok(looksLikeInvitation(" ldr1:abc"));
  assert.ok(looksLikeInvitation("LDR2:"));
  assert.ok(!looksLikeInvitation("42-apple-river-stone"));
});
