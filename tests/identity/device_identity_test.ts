import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "../../src/base/log.ts";
import { CERTIFICATE_LIFETIME_MS } from "../../src/identity/certificate_issuer.ts";
import { verifyPeer } from "../../src/identity/certificate_verifier.ts";
import {
  beginRotation,
  IDENTITY_FILE,
  loadNextIdentity,
  loadOrCreateIdentity,
  NEXT_IDENTITY_FILE,
} from "../../src/identity/device_identity.ts";
import { fingerprintOfSpki } from "../../src/identity/device_id.ts";
import { verifyEd25519 } from "../../src/identity/ed25519.ts";
import { IdentityError, type IdentityReason } from "../../src/identity/identity_error.ts";
import { decodePem, encodePem } from "../../src/identity/pem.ts";
import { ROTATION_SWITCH_MS } from "../../src/identity/rotation.ts";
import { modeOf, namesIn, runProcess, tempFolder, TestClock } from "./folder_fixture.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const isUnix = Deno.build.os !== "windows";

async function assertRefused(folder: string, reason: IdentityReason): Promise<void> {
  const path = join(folder, IDENTITY_FILE);
  const before = await Deno.readFile(path);
  await assert.rejects(loadOrCreateIdentity({ folder, clock: new TestClock() }), (error) => {
    assert.ok(error instanceof IdentityError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.equal(error.code, "storage");
    assert.ok(error.hint?.includes(path));
    // The message must not quote the key.
    assert.doesNotMatch(error.message, /MC4CAQ/);
    return true;
  });
  assert.deepEqual(await Deno.readFile(path), before);
}

Deno.test("loadOrCreateIdentity() makes an identity that a peer verifies, and keeps it", async () => {
  await using temp = await tempFolder();
  const folder = join(temp.path, "home");
  const clock = new TestClock();
  const made = await loadOrCreateIdentity({ folder, clock });
  const loaded = await loadOrCreateIdentity({ folder, clock });
  assert.equal(loaded.id, made.id);
  assert.equal(loaded.keyPem, made.keyPem);
  assert.equal(loaded.certPem, made.certPem);
  assert.deepEqual(made.fingerprint, fingerprintOfSpki(made.spki));
  const peer = verifyPeer({
    certificates: [decodePem(made.certPem)![0]!.bytes],
    alpn: "a",
    resumed: false,
    earlyData: false,
    remote: { host: "::1", port: 1 },
    role: "client",
  }, {
    ownFingerprint: new Uint8Array(32),
    expectedAlpns: ["a"],
    expectedFingerprints: [made.fingerprint],
    trust: "pairing",
    nowMs: clock.ms,
  });
  assert.equal(peer.id, made.id);
  assert.ok(!peer.isOutsideValidity);
});

Deno.test({
  name: "loadOrCreateIdentity() keeps one file with mode 0600 in a folder with mode 0700",
  ignore: !isUnix,
  async fn() {
    await using temp = await tempFolder();
    const folder = join(temp.path, "home");
    await loadOrCreateIdentity({ folder, clock: new TestClock() });
    assert.equal(await modeOf(folder), 0o700);
    assert.equal(await modeOf(join(folder, IDENTITY_FILE)), 0o600);
    assert.deepEqual(await namesIn(folder), [IDENTITY_FILE, "identity.lock"]);
  },
});

Deno.test("loadOrCreateIdentity() issues CN=landropic for ten years, and no name of this device", async () => {
  await using temp = await tempFolder();
  const clock = new TestClock();
  const { certPem } = await loadOrCreateIdentity({ folder: temp.path, clock });
  const certificate = new X509Certificate(certPem);
  assert.equal(certificate.subject, "CN=landropic");
  assert.equal(certificate.issuer, "CN=landropic");
  assert.equal(Date.parse(certificate.validFrom), clock.ms);
  assert.equal(Date.parse(certificate.validTo), clock.ms + CERTIFICATE_LIFETIME_MS);
  assert.equal(certificate.ca, false);
});

Deno.test("DeviceIdentity.sign() signs with the key of the certificate", async () => {
  await using temp = await tempFolder();
  const identity = await loadOrCreateIdentity({ folder: temp.path, clock: new TestClock() });
  const message = new TextEncoder().encode("message");
  const signature = identity.sign(message);
  assert.ok(verifyEd25519({ spki: identity.spki, message, signature }));
});

Deno.test("DeviceIdentity shows its private key neither in logs nor in JSON", async () => {
  await using temp = await tempFolder();
  const identity = await loadOrCreateIdentity({ folder: temp.path, clock: new TestClock() });
  const secret = identity.keyPem.split("\n")[1]!;
  assert.ok(secret.length === 64);
  for (const shown of [JSON.stringify({ identity }), Deno.inspect({ identity }, { depth: 9 })]) {
    assert.ok(shown.includes(identity.id));
    assert.ok(!shown.includes(secret) && !shown.includes("PRIVATE KEY"));
  }
});

Deno.test("loadOrCreateIdentity() re-issues the certificate at 80 % of its life, with the same key", async () => {
  await using temp = await tempFolder();
  const clock = new TestClock();
  const options = { folder: temp.path, clock };
  const made = await loadOrCreateIdentity(options);
  clock.ms = made.notBeforeMs + CERTIFICATE_LIFETIME_MS * 0.8 - 1;
  assert.equal((await loadOrCreateIdentity(options)).certPem, made.certPem);
  clock.ms += 1;
  const renewed = await loadOrCreateIdentity(options);
  assert.equal(renewed.id, made.id);
  assert.equal(renewed.keyPem, made.keyPem);
  assert.notEqual(renewed.certPem, made.certPem);
  assert.equal(renewed.notAfterMs, Math.floor(clock.ms / 1000) * 1000 + CERTIFICATE_LIFETIME_MS);
  assert.equal((await loadOrCreateIdentity(options)).certPem, renewed.certPem);
});

Deno.test("loadOrCreateIdentity() is not led astray by a clock that stands in 1970", async () => {
  await using temp = await tempFolder();
  const clock = new TestClock(0);
  const options = { folder: temp.path, clock };
  const made = await loadOrCreateIdentity(options);
  assert.equal(made.notBeforeMs, Date.UTC(2026, 0, 1));
  clock.ms = Date.UTC(2030, 0, 1);
  assert.equal((await loadOrCreateIdentity(options)).certPem, made.certPem);
});

Deno.test("loadOrCreateIdentity() replaces a certificate made while the clock ran ahead", async () => {
  await using temp = await tempFolder();
  const clock = new TestClock(Date.UTC(2045, 5, 1));
  const options = { folder: temp.path, clock };
  const ahead = await loadOrCreateIdentity(options);
  clock.ms = ahead.notBeforeMs - DAY_MS;
  assert.equal((await loadOrCreateIdentity(options)).certPem, ahead.certPem);
  clock.ms = Date.UTC(2026, 11, 1);
  const renewed = await loadOrCreateIdentity(options);
  assert.equal(renewed.id, ahead.id);
  assert.equal(renewed.notBeforeMs, clock.ms);
});

Deno.test("loadOrCreateIdentity() goes on with the old certificate where it cannot write", async () => {
  await using temp = await tempFolder();
  const clock = new TestClock();
  const lines: string[] = [];
  const logger: Logger = { log: (level, message) => lines.push(`${level} ${message}`) };
  const options = { folder: temp.path, clock, logger };
  const made = await loadOrCreateIdentity(options);
  // A folder in the place of the lock file fails for root too.
  await Deno.remove(join(temp.path, "identity.lock"));
  await Deno.mkdir(join(temp.path, "identity.lock"));
  clock.ms = made.notBeforeMs + CERTIFICATE_LIFETIME_MS * 0.9;
  assert.equal((await loadOrCreateIdentity(options)).certPem, made.certPem);
  assert.deepEqual(lines, ["warn cannot renew the device certificate"]);
});

Deno.test("loadOrCreateIdentity() never replaces a file that it cannot use", async () => {
  await using temp = await tempFolder();
  const folder = temp.path;
  const path = join(folder, IDENTITY_FILE);
  const clock = new TestClock();
  const { keyPem, certPem } = await loadOrCreateIdentity({ folder, clock });
  await Deno.remove(path);
  const other = await loadOrCreateIdentity({ folder, clock });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const pem = { format: "pem", type: "pkcs8" } as const;
  const certificate = decodePem(certPem)![0]!.bytes;
  const damaged = certificate.slice();
  damaged[damaged.length - 1]! ^= 1;
  const longKey = new Uint8Array([...decodePem(keyPem)![0]!.bytes, 0]);
  const broken: Record<string, string> = {
    empty: "",
    "no PEM": "hello",
    "no certificate": keyPem,
    "no key": certPem,
    "two keys": keyPem + other.keyPem + certPem,
    "two certificates": keyPem + certPem + certPem,
    "cut off": keyPem + certPem.slice(0, -40),
    "RSA key": rsa.export(pem) + certPem,
    "P-256 key": p256.export(pem) + certPem,
    "key of another label": keyPem.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY") + certPem,
    "key too long": encodePem({ label: "PRIVATE KEY", bytes: longKey }) + certPem,
    "bad base64": keyPem.replace("MC4CAQ", "MC4=AQ") + certPem,
    "bad signature": keyPem + encodePem({ label: "CERTIFICATE", bytes: damaged }),
    "not UTF-8": "\ufffd",
  };
  for (const [what, text] of Object.entries(broken)) {
    const bytes = what === "not UTF-8"
      ? new Uint8Array([0xff, 0xfe])
      : new TextEncoder().encode(text);
    await Deno.writeFile(path, bytes, { mode: 0o600 });
    await assertRefused(folder, "identity_broken");
  }
  await Deno.writeTextFile(path, other.keyPem + certPem, { mode: 0o600 });
  await assertRefused(folder, "identity_mismatch");
  await Deno.writeTextFile(path, `a note\n\n${keyPem}\r\n${certPem}`, { mode: 0o600 });
  assert.equal((await loadOrCreateIdentity({ folder, clock })).keyPem, keyPem);
});

Deno.test("loadOrCreateIdentity() says so where the file is a link that leads nowhere", {
  ignore: !isUnix,
}, async () => {
  await using temp = await tempFolder();
  await Deno.symlink(join(temp.path, "none"), join(temp.path, IDENTITY_FILE));
  await assert.rejects(
    loadOrCreateIdentity({ folder: temp.path, clock: new TestClock() }),
    (error) => error instanceof IdentityError && error.reason === "file_unusable",
  );
});

Deno.test("loadOrCreateIdentity() ends with one identity when processes start at once", async () => {
  await using temp = await tempFolder();
  const folder = join(temp.path, "home");
  const module = new URL("../../src/identity/device_identity.ts", import.meta.url).href;
  const go = join(temp.path, "go");
  // Each process waits until all are loaded, so that they meet at the folder.
  const source = (name: string) => `
    import { loadOrCreateIdentity } from ${JSON.stringify(module)};
    await Deno.writeTextFile(${JSON.stringify(join(temp.path, `ready-${name}`))}, "");
    for (;;) { try { await Deno.stat(${JSON.stringify(go)}); break; } catch { /* not yet */ } }
    const clock = { wallMs: () => ${Date.UTC(2026, 10, 22)} };
    const both = await Promise.all([0, 1].map(() =>
      loadOrCreateIdentity({ folder: ${JSON.stringify(folder)}, clock })));
    for (const { id, certPem } of both) console.log(id, JSON.stringify(certPem));
  `;
  const processes = ["a", "b"].map((name) => runProcess(temp.path, source(name)));
  let isRunning = true;
  const ended = Promise.all(processes).finally(() => isRunning = false);
  while (isRunning && (await namesIn(temp.path)).filter((name) => /^ready/.test(name)).length < 2) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Deno.writeTextFile(go, "");
  const lines = (await ended).flat();
  assert.equal(lines.length, 4);
  assert.equal(new Set(lines).size, 1);
  const { id } = await loadOrCreateIdentity({ folder, clock: new TestClock() });
  assert.ok(lines[0]!.startsWith(id));
  assert.deepEqual(await namesIn(folder), [IDENTITY_FILE, "identity.lock"]);
});

Deno.test("loadOrCreateIdentity() of an existing identity never loads the X.509 library", async () => {
  await using temp = await tempFolder();
  const folder = join(temp.path, "home");
  await loadOrCreateIdentity({ folder, clock: new TestClock() });
  const module = new URL("../../src/identity/mod.ts", import.meta.url).href;
  // reflect-metadata, which loads before the library, leaves a trace.
  const lines = await runProcess(
    temp.path,
    `
    import { loadOrCreateIdentity } from ${JSON.stringify(module)};
    const clock = { wallMs: () => ${new TestClock().ms} };
    await loadOrCreateIdentity({ folder: ${JSON.stringify(folder)}, clock });
    console.log("defineMetadata" in Reflect);
    await loadOrCreateIdentity({ folder: ${JSON.stringify(folder + "-2")}, clock });
    console.log("defineMetadata" in Reflect);
  `,
  );
  assert.deepEqual(lines, ["false", "true"]);
});

Deno.test("beginRotation() keeps the old key in use until the switch, then ends with the next one", async () => {
  await using temp = await tempFolder();
  const clock = new TestClock();
  const options = { folder: temp.path, clock };
  assert.equal(await loadNextIdentity(options), undefined);
  const old = await loadOrCreateIdentity(options);
  const next = await beginRotation(options);
  assert.notEqual(next.identity.id, old.id);
  assert.equal(next.switchAtMs, clock.ms + ROTATION_SWITCH_MS);
  clock.ms = next.switchAtMs - 1;
  assert.equal((await loadOrCreateIdentity(options)).id, old.id);
  assert.equal((await loadNextIdentity(options))!.identity.id, next.identity.id);
  clock.ms += 1;
  const switched = await loadOrCreateIdentity(options);
  assert.equal(switched.keyPem, next.identity.keyPem);
  assert.equal(await loadNextIdentity(options), undefined);
  assert.deepEqual(await namesIn(temp.path), [IDENTITY_FILE, "identity.lock"]);
});

Deno.test("beginRotation() returns the rotation that already runs", async () => {
  await using temp = await tempFolder();
  const clock = new TestClock();
  const options = { folder: temp.path, clock };
  const [first, second] = await Promise.all([beginRotation(options), beginRotation(options)]);
  clock.ms += DAY_MS;
  const third = await beginRotation(options);
  assert.equal(first.identity.id, second.identity.id);
  assert.equal(third.identity.id, first.identity.id);
  assert.equal(third.switchAtMs, first.switchAtMs);
  if (isUnix) assert.equal(await modeOf(join(temp.path, NEXT_IDENTITY_FILE)), 0o600);
});
