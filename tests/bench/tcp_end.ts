/** One end of the same over TCP, as the system has it: what a transport on this link can be held against. */
import { parseArgs } from "node:util";
import process from "node:process";
import type { PushReport, Usage } from "./transport_end.ts";

const BLOCK_BYTES = 1 << 20;

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      role: { type: "string", default: "serve" },
      listen: { type: "string", default: "127.0.0.1" },
      remote: { type: "string", default: "" },
      seconds: { type: "string", default: "3" },
    },
  });
  if (values.role === "serve") await serve(values.listen);
  else await push(values.remote, Number(values.seconds));
}

async function serve(hostname: string): Promise<void> {
  const listener = Deno.listen({ hostname, port: 0 });
  console.log(JSON.stringify({ port: listener.addr.port }));
  using connection = await listener.accept();
  const buffer = new Uint8Array(BLOCK_BYTES);
  while (await connection.read(buffer) !== null);
  await connection.write(new Uint8Array(1));
  for await (const _ of Deno.stdin.readable);
  console.log(JSON.stringify(usage()));
  listener.close();
}

async function push(remote: string, seconds: number): Promise<void> {
  const at = remote.lastIndexOf(":");
  using connection = await Deno.connect({
    hostname: remote.slice(0, at),
    port: Number(remote.slice(at + 1)),
  });
  const block = new Uint8Array(BLOCK_BYTES);
  const startMs = performance.now();
  let bytes = 0;
  while (performance.now() - startMs < seconds * 1000) bytes += await connection.write(block);
  await connection.closeWrite();
  await connection.read(new Uint8Array(1));
  const report: PushReport = {
    bytes,
    seconds: (performance.now() - startMs) / 1000,
    sentDatagrams: 0,
    lostPackets: 0,
    rttMs: 0,
    ...usage(),
  };
  console.log(JSON.stringify(report));
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, peakBytes: process.resourceUsage().maxRSS * 1024 };
}
