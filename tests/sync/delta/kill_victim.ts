/**
 * Run by kill_test.ts: pushes one folder into another and kills itself once the sender has written so
 * many bytes; prints the bytes that were fetched if it gets through.
 */
import { memoryTransportPair } from "../../support/memory_transport.ts";
import { runSession } from "../../support/session_pair.ts";
import { testDevice } from "../../support/test_device.ts";

const [path, killAt] = Deno.args as [string, string];
const transports = memoryTransportPair();
let left = Number(killAt);
transports[0].onWrite = ({ length }) => {
  left -= length;
  if (left < 0) Deno.kill(Deno.pid, "SIGKILL");
};
const a = testDevice(`${path}/home-a`, "A");
const b = testDevice(`${path}/home-b`, "B");
const { summary, errors } = await runSession(a, `${path}/left`, b, `${path}/right`, { transports });
if (errors.length > 0) throw new Error(JSON.stringify(errors));
console.log(summary.bytesSent);
