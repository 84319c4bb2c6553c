import assert from "node:assert/strict";
import { Invitation } from "../../../src/identity/pairing/invitation.ts";
import { PairingCode } from "../../../src/identity/pairing/pairing_code.ts";
import { redactPairingSecrets } from "../../../src/identity/pairing/redact.ts";

Deno.test("redactPairingSecrets() hides codes and invitations in any text", () => {
  const invitation = Invitation.create({
    fingerprint: new Uint8Array(32),
    expiresAtMs: 60_000,
    port: 1,
    addresses: [],
    name: "",
  }, 0).reveal();
  for (const secret of [invitation, invitation.toLowerCase()]) {
    const hidden = redactPairingSecrets(`landropic pair ${secret} --name x`);
    assert.ok(!hidden.includes(secret.slice(10, 40)));
    assert.match(hidden, /^landropic pair ldr1:\(hidden\) --name x$/i);
  }
  for (let i = 0; i < 50; i++) {
    const code = PairingCode.generate();
    const hidden = redactPairingSecrets(`got "${code.reveal()}".`);
    assert.equal(hidden, `got "${code.slot}-***-***-***".`);
  }
  assert.equal(redactPairingSecrets("42 Apple rive ston"), "42-***-***-***");
});

Deno.test("redactPairingSecrets() leaves other text alone", () => {
  for (
    const text of ["10 files were sent", "2026-06-01 08:00", "LDR: 5", "port 9876 and more text"]
  ) {
    assert.equal(redactPairingSecrets(text), text);
  }
});
