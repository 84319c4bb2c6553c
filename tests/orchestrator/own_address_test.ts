import assert from "node:assert/strict";
import { isOwnAddress } from "../../src/orchestrator/own_address.ts";

Deno.test("isOwnAddress() knows an address in any of its forms, and no other", () => {
  const own = ["127.0.0.1", "192.0.2.7", "fe80::1%eth0", "2001:db8::7"];
  for (
    const host of ["127.0.0.1", "::ffff:192.0.2.7", "fe80::1", "fe80::1%2", "2001:db8:0::0007"]
  ) {
    assert.equal(isOwnAddress(host, own), true, host);
  }
  for (const host of ["192.0.2.8", "2001:db8::8", "::1", "name.example"]) {
    assert.equal(isOwnAddress(host, own), false, host);
  }
  assert.equal(isOwnAddress("127.0.0.1"), true);
});
