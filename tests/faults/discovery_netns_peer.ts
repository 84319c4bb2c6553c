/**
 * One process of discovery_netns_test.ts, inside a network namespace. Prints JSON lines.
 *
 * `announce PREFIX SLOT`: announces a port and prints every datagram that reaches it, and every
 * discovery message seen on the wire; ends with stdin.
 * `discover MS`: prints the hints it gets, and sends each address its own text.
 */
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { listLinks, MdnsDiscovery, openMulticastLink } from "../../src/discovery/mod.ts";

const [mode, ...args] = Deno.args;
const print = (line: unknown) => console.log(JSON.stringify(line));

if (mode === "announce") await announce(args[0]!, Number(args[1]));
else await discover(Number(args[0]));

async function announce(idPrefix: string, slot: number): Promise<void> {
  const socket = createSocket({ type: "udp6", ipv6Only: false });
  await new Promise<void>((resolve) => socket.bind(0, "::", resolve));
  socket.on("message", (bytes) => print({ reached: bytes.toString() }));
  const links = await Promise.all(
    listLinks(networkInterfaces(), false).map((spec) =>
      openMulticastLink(spec, {
        onPacket: (bytes) => print({ wire: new TextDecoder("latin1").decode(bytes) }),
        onProblem: (message) => print({ problem: message }),
      })
    ),
  );
  {
    await using discovery = new MdnsDiscovery();
    await using _announced = await discovery.announce({
      idPrefix,
      port: socket.address().port,
      slot,
    });
    print({ announced: true });
    for await (const _ of Deno.stdin.readable);
  }
  // Whatever the goodbye made arrive is read in the next turns of the event loop.
  await new Promise((resolve) => setTimeout(resolve, 100));
  print({ ended: true });
  await Promise.all(links.map((link) => link.close()));
  socket.close();
}

async function discover(timeoutMs: number): Promise<void> {
  await using discovery = new MdnsDiscovery();
  for await (const hint of discovery.discover({ timeoutMs })) {
    print({ hint });
    for (const { host, port } of hint.addresses) {
      const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
      socket.on("error", (error) => print({ problem: `${host}: ${error.message}` }));
      await new Promise<void>((resolve) => socket.send(host, port, host, () => resolve()));
      socket.close();
    }
  }
}
