import assert from "node:assert/strict";
import { type LinkSpec, openMulticastLink } from "../../src/discovery/mod.ts";
import { linkOf } from "./wire.ts";

const LOOPBACK: LinkSpec = linkOf("127.0.0.1", { name: "lo", zone: "lo" });

Deno.test("openMulticastLink() carries a message to every link open on the same interface", async () => {
  const arrived = [0, 1].map(() => Promise.withResolvers<{ bytes: Uint8Array; port: number }>());
  const links = await Promise.all(arrived.map(({ resolve }) =>
    openMulticastLink(LOOPBACK, {
      onPacket: (bytes, { port }) => {
        // Others may speak on this group and port too.
        if (new TextDecoder().decode(bytes).startsWith("landropic test")) resolve({ bytes, port });
      },
      onProblem: (message) => arrived[0]!.reject(new Error(message)),
    })
  ));
  await links[0]!.send(new TextEncoder().encode("landropic test"));
  for (const { promise } of arrived) assert.equal((await promise).port, 5353);
  for (const link of links) {
    await link.close();
    await link.close();
    await link.send(new Uint8Array(1));
  }
});

Deno.test({
  name: "openMulticastLink() rejects for an interface that is not there, and leaves nothing open",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const spec = linkOf("203.0.113.77");
    await assert.rejects(openMulticastLink(spec, { onPacket() {}, onProblem() {} }));
  },
});
