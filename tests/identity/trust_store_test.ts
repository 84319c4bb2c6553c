import assert from "node:assert/strict";
import { join } from "node:path";
import type { Logger } from "../../src/base/log.ts";
import { verifyPeer } from "../../src/identity/certificate_verifier.ts";
import { deviceIdFromFingerprint } from "../../src/identity/device_id.ts";
import { issueIdentity } from "../../src/identity/identity_file.ts";
import { decodePem } from "../../src/identity/pem.ts";
import { createRotation, ROTATION_KEEP_MS, verifyRotation } from "../../src/identity/rotation.ts";
import { TRUST_FILE, TrustStore } from "../../src/identity/trust_store.ts";
import { modeOf, namesIn, runProcess, tempFolder, TestClock } from "./folder_fixture.ts";
import { fingerprint, refused, spki } from "./trust_fixture.ts";

const isUnix = Deno.build.os !== "windows";

function device(n: number, alias?: string) {
  return { fingerprint: fingerprint(n), method: "code" as const, ...(alias && { alias }) };
}

Deno.test("TrustStore keeps what was trusted, for the next process too", async () => {
  await using temp = await tempFolder();
  const options = { folder: join(temp.path, "home"), clock: new TestClock() };
  const store = await TrustStore.open(options);
  assert.deepEqual(store.list(), []);
  const entry = await store.trust({
    ...device(1, "attic"),
    spki: spki(1),
    address: "10.0.0.1:9876",
  });
  assert.deepEqual(store.list(), [entry]);
  assert.equal(store.get(fingerprint(1)), entry);
  assert.equal(store.get(fingerprint(2)), undefined);
  assert.equal(store.resolve("attic"), entry);
  assert.equal(store.lookup(fingerprint(1)), "trusted");
  assert.equal(store.lookup(fingerprint(2)), undefined);
  const next = await TrustStore.open(options);
  assert.deepEqual(next.list(), [entry]);
});

Deno.test("TrustStore keeps one file with mode 0600", { ignore: !isUnix }, async () => {
  await using temp = await tempFolder();
  const folder = join(temp.path, "home");
  const store = await TrustStore.open({ folder, clock: new TestClock() });
  await store.trust(device(1));
  await store.trust(device(2));
  assert.equal(await modeOf(folder), 0o700);
  assert.equal(await modeOf(join(folder, TRUST_FILE)), 0o600);
  assert.deepEqual(await namesIn(folder), ["identity.lock", TRUST_FILE]);
});

Deno.test("TrustStore.list() is sorted by alias, the removed ones last and on request", async () => {
  await using temp = await tempFolder();
  const store = await TrustStore.open({ folder: temp.path, clock: new TestClock() });
  for (const [n, alias] of ["c", "a", "b", "0"].entries()) await store.trust(device(n, alias));
  await store.remove("0");
  assert.deepEqual(store.list().map(({ alias }) => alias), ["a", "b", "c"]);
  assert.deepEqual(store.list({ revoked: true }).map(({ alias }) => alias), ["a", "b", "c", "0"]);
});

Deno.test("TrustStore.remove() denies the device at once and in the next process", async () => {
  await using temp = await tempFolder();
  const options = { folder: temp.path, clock: new TestClock() };
  const store = await TrustStore.open(options);
  await store.trust(device(1, "attic"));
  const tombstone = await store.remove("attic");
  assert.equal(tombstone.state, "revoked");
  for (const one of [store, await TrustStore.open(options)]) {
    assert.equal(one.lookup(fingerprint(1)), "revoked");
    assert.deepEqual(one.list(), []);
    assert.deepEqual(one.acceptedKeys(tombstone), []);
    assert.throws(() => one.resolve("attic"), refused("revoked"));
  }
  assert.equal(await store.touch({ fingerprint: fingerprint(1) }), undefined);
  await store.trust(device(1));
  assert.equal(store.lookup(fingerprint(1)), "trusted");
});

Deno.test("TrustStore.rename(), touch() and grant() return the entry as written", async () => {
  await using temp = await tempFolder();
  const options = { folder: temp.path, clock: new TestClock() };
  const store = await TrustStore.open(options);
  await store.trust(device(1, "attic"));
  assert.equal((await store.rename("attic", "Dachboden")).alias, "Dachboden");
  const address = "[::1]:9876";
  const seen = await store.touch({ fingerprint: fingerprint(1), address });
  assert.deepEqual(seen?.addresses, [address]);
  assert.equal(seen?.lastSeenMs, options.clock.ms);
  const grant = { share: "photos", access: "read" } as const;
  assert.deepEqual((await store.grant(fingerprint(1), grant)).grants, [grant]);
  assert.deepEqual((await TrustStore.open(options)).list(), store.list());
});

Deno.test("TrustStore changes nothing where a method throws", async () => {
  await using temp = await tempFolder();
  const options = { folder: temp.path, clock: new TestClock() };
  const store = await TrustStore.open(options);
  await store.trust(device(1, "attic"));
  await store.trust(device(2, "cellar"));
  const before = await Deno.readTextFile(join(temp.path, TRUST_FILE));
  await assert.rejects(store.trust(device(3, "attic")), refused("name_taken"));
  await assert.rejects(store.rename("cellar", "attic"), refused("name_taken"));
  await assert.rejects(store.rename("kitchen", "x"), refused("peer_unknown"));
  await assert.rejects(store.remove("kitchen"), refused("peer_unknown"));
  await assert.rejects(
    store.touch({ fingerprint: fingerprint(1), address: "x" }),
    refused("address_invalid"),
  );
  assert.equal(await Deno.readTextFile(join(temp.path, TRUST_FILE)), before);
  assert.equal(store.list().length, 2);
});

Deno.test("TrustStore never empties or replaces a file that it cannot read", async () => {
  await using temp = await tempFolder();
  const options = { folder: temp.path, clock: new TestClock() };
  const path = join(temp.path, TRUST_FILE);
  const store = await TrustStore.open(options);
  await store.trust(device(1, "attic"));
  const half = (await Deno.readTextFile(path)).slice(0, 100);
  await Deno.writeTextFile(path, half);
  await assert.rejects(TrustStore.open(options), refused("trust_store_broken", /peers\.json/));
  await assert.rejects(store.trust(device(2)), refused("trust_store_broken"));
  await assert.rejects(store.reloadIfChanged(), refused("trust_store_broken"));
  assert.equal(await Deno.readTextFile(path), half);
  assert.equal(store.lookup(fingerprint(1)), "trusted");
});

Deno.test("TrustStore.reloadIfChanged() sees what another store wrote, and only then reads", async () => {
  await using temp = await tempFolder();
  const options = { folder: temp.path, clock: new TestClock() };
  const [store, other] = [await TrustStore.open(options), await TrustStore.open(options)];
  assert.equal(await store.reloadIfChanged(), false);
  await store.trust(device(1, "attic"));
  assert.equal(await store.reloadIfChanged(), false);
  assert.equal(await other.reloadIfChanged(), true);
  assert.equal(other.lookup(fingerprint(1)), "trusted");
  await other.remove("attic");
  assert.equal(store.lookup(fingerprint(1)), "trusted");
  assert.equal(await store.reloadIfChanged(), true);
  assert.equal(store.lookup(fingerprint(1)), "revoked");
});

Deno.test("TrustStore trusts nobody once its file is gone, and says so", async () => {
  await using temp = await tempFolder();
  const lines: string[] = [];
  const logger: Logger = { log: (level, message) => lines.push(`${level} ${message}`) };
  const store = await TrustStore.open({ folder: temp.path, clock: new TestClock(), logger });
  await store.trust(device(1));
  await Deno.remove(join(temp.path, TRUST_FILE));
  assert.equal(await store.reloadIfChanged(), true);
  assert.equal(store.lookup(fingerprint(1)), undefined);
  assert.deepEqual(lines, ["warn the file of trusted peers is gone; trusting nobody"]);
});

Deno.test("TrustStore loses no change when processes write at once", async () => {
  await using temp = await tempFolder();
  const folder = join(temp.path, "home");
  const here = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const source = (first: number) => `
    import { TrustStore } from ${here("../../src/identity/mod.ts")};
    import { fingerprint } from ${here("trust_fixture.ts")};
    const clock = { wallMs: () => ${new TestClock().ms} };
    const store = await TrustStore.open({ folder: ${JSON.stringify(folder)}, clock });
    await Promise.all(Array.from({ length: 10 }, (_, i) =>
      store.trust({ fingerprint: fingerprint(${first} + i), announcedName: "laptop", method: "id" })));
    console.log("done");
  `;
  const lines = await Promise.all([0, 10].map((first) => runProcess(temp.path, source(first))));
  assert.deepEqual(lines, [["done"], ["done"]]);
  const store = await TrustStore.open({ folder, clock: new TestClock() });
  const aliases = store.list().map(({ alias }) => alias);
  assert.equal(aliases.length, 20);
  assert.deepEqual(
    new Set(aliases),
    new Set(["laptop", ...Array.from({ length: 19 }, (_, i) => `laptop-${i + 2}`)]),
  );
  assert.deepEqual(await namesIn(folder), ["identity.lock", TRUST_FILE]);
});

Deno.test("TrustStore.lookup() decides verifyPeer() through a whole key rotation", async () => {
  await using temp = await tempFolder();
  const clock = new TestClock();
  const store = await TrustStore.open({ folder: temp.path, clock });
  const [own, old, next, thief] = await Promise.all(
    [0, 1, 2, 3].map(() => issueIdentity(clock.ms)),
  );
  const meet = (peer: typeof old) =>
    verifyPeer({
      certificates: [decodePem(peer!.certPem)![0]!.bytes],
      alpn: "landropic/1",
      resumed: false,
      earlyData: false,
      remote: { host: "::1", port: 9876 },
      role: "client",
    }, {
      ownFingerprint: own!.fingerprint,
      expectedAlpns: ["landropic/1"],
      expectedFingerprints: store.acceptedKeys(store.list()[0]!),
      trust: store.lookup,
      nowMs: clock.ms,
    });
  await store.trust({ fingerprint: old!.fingerprint, method: "token", alias: "attic" });
  const peer = meet(old);
  assert.throws(() => meet(next), refused("wrong_device"));
  const rotation = verifyRotation(createRotation(old!, next!), peer.spki);
  const entry = await store.rotate(rotation);
  assert.equal(entry.alias, "attic");
  meet(old);
  const { fingerprint, spki } = meet(next);
  const used = await store.touch({ fingerprint, spki });
  assert.equal(used?.id, deviceIdFromFingerprint(next!.fingerprint));
  clock.ms += ROTATION_KEEP_MS - 1;
  meet(old);
  // Whoever has the old key can no longer speak for the device, even while it is accepted.
  const stolen = verifyRotation(createRotation(old!, thief!), old!.spki);
  await assert.rejects(store.rotate(stolen), refused("rotation_refused"));
  clock.ms += 1;
  assert.equal(store.lookup(old!.fingerprint), "revoked");
  assert.throws(() => meet(old), refused("wrong_device"));
  meet(next);
  await store.remove("attic");
  assert.equal(store.lookup(next!.fingerprint), "revoked");
  const late = verifyRotation(createRotation(next!, thief!), next!.spki);
  await assert.rejects(store.rotate(late), refused("rotation_refused"));
});
