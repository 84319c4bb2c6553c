import assert from "node:assert/strict";
import { hostname, userInfo } from "node:os";
import {
  answersQuestion,
  nameService,
  searchQuery,
  SERVICE_TYPE,
  serviceResponse,
} from "../../src/discovery/service_records.ts";
import { codec } from "./wire.ts";

const SERVICE = nameService(
  { idPrefix: "ABCDEFGH", port: 9876, slot: 42 },
  new Uint8Array([1, 2, 255]),
);
const INSTANCE = "abcdefgh-0102ff";

Deno.test("serviceResponse() holds everything a peer needs, under names of its own", () => {
  const packet = codec.decode(
    codec.encode(serviceResponse(SERVICE, ["192.0.2.7", "2001:db8::7"])),
  )!;
  assert.equal(packet.type, "response");
  const seen = packet.answers.map(({ name, type, ttl, data, flush }) => ({
    name,
    type,
    ttl,
    flush,
    data: Array.isArray(data) ? data.map(String) : data,
  }));
  const unique = { ttl: 120, flush: true };
  assert.deepEqual(seen, [
    {
      name: SERVICE_TYPE,
      type: "PTR",
      ttl: 120,
      flush: false,
      data: `${INSTANCE}.${SERVICE_TYPE}`,
    },
    {
      name: `${INSTANCE}.${SERVICE_TYPE}`,
      type: "SRV",
      ...unique,
      data: { priority: 0, weight: 0, port: 9876, target: `${INSTANCE}.local` },
    },
    {
      name: `${INSTANCE}.${SERVICE_TYPE}`,
      type: "TXT",
      ...unique,
      data: ["v=1", "id=ABCDEFGH", "slot=42"],
    },
    { name: `${INSTANCE}.local`, type: "A", ...unique, data: "192.0.2.7" },
    { name: `${INSTANCE}.local`, type: "AAAA", ...unique, data: "2001:db8::7" },
  ]);
});

Deno.test("serviceResponse() tells nothing of the machine's or the user's name", () => {
  const bytes = codec.encode(serviceResponse(SERVICE, ["192.0.2.7"]));
  const text = new TextDecoder("latin1").decode(bytes).toLowerCase();
  const names = [hostname(), userInfo().username, userInfo().homedir ?? ""];
  for (const secret of names.filter((name) => name.length >= 4)) {
    assert.ok(!text.includes(secret.toLowerCase()), secret);
  }
  // The only labels are the ones below; anything else would be a leak.
  const labels = text.match(/[a-z0-9_-]{3,}/g)!;
  const allowed = ["_landropic", "_udp", "local", INSTANCE, "abcdefgh", "slot"];
  for (const label of labels) {
    assert.ok(allowed.some((word) => label.includes(word)), `"${label}" is announced`);
  }
});

Deno.test("serviceResponse() announces a slot only while there is one", () => {
  const service = nameService({ idPrefix: "ABCDEFGH", port: 1 }, new Uint8Array(3));
  const bytes = codec.encode(serviceResponse(service, []));
  assert.ok(!new TextDecoder("latin1").decode(bytes).includes("slot"));
});

Deno.test("serviceResponse() of a goodbye has no time to live", () => {
  const packet = codec.decode(codec.encode(serviceResponse(SERVICE, ["192.0.2.7"], true)))!;
  assert.equal(packet.answers.length, 4);
  for (const record of packet.answers) assert.equal(record.ttl, 0);
});

Deno.test("answersQuestion() answers what the service has, in any case, and nothing else", () => {
  const [search] = searchQuery().questions;
  assert.ok(answersQuestion(SERVICE, search!));
  const yes: [string, string][] = [
    ["_LANDROPIC._udp.Local", "PTR"],
    [SERVICE_TYPE, "ANY"],
    [`${INSTANCE}.${SERVICE_TYPE}`, "SRV"],
    [`${INSTANCE}.${SERVICE_TYPE}`, "TXT"],
    [`${INSTANCE}.local`, "A"],
    [`${INSTANCE}.local`, "AAAA"],
  ];
  for (const [name, type] of yes) assert.ok(answersQuestion(SERVICE, { name, type }), name);
  const no: [string, string][] = [
    [SERVICE_TYPE, "A"],
    [`${INSTANCE}.local`, "PTR"],
    ["_services._dns-sd._udp.local", "PTR"],
    ["__proto__", "PTR"],
    ["constructor", "ANY"],
    ["", "ANY"],
  ];
  for (const [name, type] of no) assert.ok(!answersQuestion(SERVICE, { name, type }), name);
});
