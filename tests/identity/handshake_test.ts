/**
 * What TLS lets through and the verifier must not: real handshakes of the native QUIC core, in memory.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import native from "@matrixai/quic/native";
import type { Bytes } from "../../src/base/bytes.ts";
import { type HandshakePeer, verifyPeer } from "../../src/identity/certificate_verifier.ts";
import { fingerprintOfSpki } from "../../src/identity/device_id.ts";
import { issueIdentity } from "../../src/identity/identity_file.ts";
import { encodePem } from "../../src/identity/pem.ts";
import { buildCertificate, derText, name, testKey } from "./certificate_fixture.ts";
import { refused } from "./trust_fixture.ts";

const ALPN = "landropic/1";
const NOW_MS = Date.UTC(2026, 10, 22);
const CLIENT_ADDRESS = { host: "127.0.0.1", port: 1111 };
const SERVER_ADDRESS = { host: "127.0.0.1", port: 2222 };
/** TLS alerts as QUIC reports them: 0x100 + the alert (RFC 9001 section 4.8). */
const CERTIFICATE_REQUIRED = 0x100 + 116;
const HANDSHAKE_FAILURE = 0x100 + 40;

interface Connection {
  send(into: Uint8Array): readonly [number, unknown] | null;
  recv(datagram: Uint8Array, info: unknown): number;
  isEstablished(): boolean;
  isResumed(): boolean;
  isInEarlyData(): boolean;
  applicationProto(): Uint8Array;
  peerCertChain(): Uint8Array[] | null;
  localError(): { errorCode: number } | null;
  session(): Uint8Array | null;
  setSession(session: Uint8Array): void;
}
// deno-lint-ignore no-explicit-any -- the addon's own types leave these open
const quiche = native.quiche as any;

/** What a side shows in the handshake. */
interface Credentials {
  readonly keyPem: string;
  readonly certPem: string;
}

function config(credentials: Credentials | undefined, algorithms = "ed25519") {
  const encode = (text: string | undefined) => text ? [new TextEncoder().encode(text)] : null;
  const config = quiche.Config.withBoringSslCtx(
    true,
    true,
    null,
    encode(credentials?.keyPem),
    encode(credentials?.certPem),
    algorithms,
  );
  config.setApplicationProtos([ALPN]);
  config.setMaxIdleTimeout(5000);
  config.setMaxSendUdpPayloadSize(1350);
  return config;
}

/** Runs a handshake to its end; the server answers with `serverConfig`. */
function shake(serverConfig: unknown, clientConfig: unknown, session?: Uint8Array) {
  const id = () => crypto.getRandomValues(new Uint8Array(20));
  const client: Connection = quiche.Connection.connect(
    null,
    id(),
    CLIENT_ADDRESS,
    SERVER_ADDRESS,
    clientConfig,
  );
  if (session) client.setSession(session);
  const server: Connection = quiche.Connection.accept(
    id(),
    null,
    SERVER_ADDRESS,
    CLIENT_ADDRESS,
    serverConfig,
  );
  for (let round = 0; round < 10; round++) {
    pump(client, server, { from: CLIENT_ADDRESS, to: SERVER_ADDRESS });
    pump(server, client, { from: SERVER_ADDRESS, to: CLIENT_ADDRESS });
  }
  return { client, server };
}

function pump(from: Connection, to: Connection, info: unknown): void {
  const buffer = new Uint8Array(65535);
  for (let sent; (sent = from.send(buffer));) {
    try {
      to.recv(buffer.slice(0, sent[0]), info);
    } catch {
      // A failed handshake; localError() says why.
    }
  }
}

/** What the QUIC layer hands to the verifier. */
function peerOf(connection: Connection): HandshakePeer {
  return {
    certificates: connection.peerCertChain() ?? [],
    alpn: new TextDecoder().decode(connection.applicationProto()),
    resumed: connection.isResumed(),
    earlyData: connection.isInEarlyData(),
    remote: CLIENT_ADDRESS,
    role: "server",
  };
}

function verify(connection: Connection) {
  return verifyPeer(peerOf(connection), {
    ownFingerprint: SERVER.fingerprint,
    expectedAlpns: [ALPN],
    trust: "pairing",
    nowMs: NOW_MS,
  });
}

const SERVER = await issueIdentity(NOW_MS);
const CLIENT = await issueIdentity(NOW_MS);
const KEY = testKey();
const KEY_PEM = KEY.privateKey.export({ format: "pem", type: "pkcs8" }).toString();

/** The test key with a certificate that is wrong in one way. */
function shown(...certificates: readonly Bytes[]): Credentials {
  const certPem = certificates.map((bytes) => encodePem({ label: "CERTIFICATE", bytes })).join("");
  return { keyPem: KEY_PEM, certPem };
}

Deno.test("two devices' identities make a TLS handshake, and verifyPeer() finds each other's id", () => {
  const { client, server } = shake(config(SERVER), config(CLIENT));
  assert.ok(client.isEstablished() && server.isEstablished());
  assert.equal(verify(server).id, CLIENT.id);
  const seen = verifyPeer({ ...peerOf(client), role: "client" }, {
    ownFingerprint: CLIENT.fingerprint,
    expectedAlpns: [ALPN],
    expectedFingerprints: [SERVER.fingerprint],
    trust: "pairing",
    nowMs: NOW_MS,
  });
  assert.equal(seen.id, SERVER.id);
});

Deno.test("verifyPeer() refuses every certificate that TLS alone let through", () => {
  const other = testKey();
  const cases = [
    ["expired", shown(buildCertificate(KEY, { notAfter: derText(0x17, "260301000000Z") }))],
    ["not_yet_valid", shown(buildCertificate(KEY, { notBefore: derText(0x17, "270301000000Z") }))],
    ["self_signature", shown(buildCertificate(KEY, { signature: new Uint8Array(64).fill(1) }))],
    ["self_signature", shown(buildCertificate(KEY, { signer: other.privateKey }))],
    [
      "issuer_mismatch",
      shown(buildCertificate(KEY, { issuer: name("authority"), signer: other.privateKey })),
    ],
    ["chain_length", shown(buildCertificate(KEY), buildCertificate(other))],
  ] as const;
  const serverConfig = config(SERVER);
  for (const [reason, credentials] of cases) {
    const { client, server } = shake(serverConfig, config(credentials));
    assert.ok(client.isEstablished() && server.isEstablished(), reason);
    assert.throws(() => verify(server), refused(reason), reason);
  }
  const { server } = shake(serverConfig, config(shown(buildCertificate(KEY))));
  assert.deepEqual(verify(server).fingerprint, fingerprintOfSpki(KEY.spki));
});

Deno.test("verifyPeer() refuses a session resumed by a device with another key", () => {
  const serverConfig = config(SERVER);
  const session = shake(serverConfig, config(CLIENT)).client.session();
  assert.ok(session !== null);
  const thief = config(shown(buildCertificate(KEY)));
  const { server } = shake(serverConfig, thief, session);
  // TLS vouches for the key of the device that the session was stolen from.
  assert.ok(server.isEstablished() && server.isResumed());
  assert.throws(() => verify(server), refused("resumed"));
  const withoutThatCheck = verifyPeer({ ...peerOf(server), resumed: false }, {
    ownFingerprint: SERVER.fingerprint,
    expectedAlpns: [ALPN],
    trust: "pairing",
    nowMs: NOW_MS,
  });
  assert.equal(withoutThatCheck.id, CLIENT.id);
});

Deno.test("TLS itself refuses a client without a certificate, and one with a P-256 key", async () => {
  const { server } = shake(config(SERVER), config(undefined));
  assert.ok(!server.isEstablished());
  assert.equal(server.localError()?.errorCode, CERTIFICATE_REQUIRED);

  await import("reflect-metadata");
  const { X509CertificateGenerator } = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pkcs8 = new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }));
  const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=landropic",
    notBefore: new Date(NOW_MS),
    notAfter: new Date(NOW_MS + 1e9),
    signingAlgorithm: algorithm,
    keys: {
      privateKey: await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]),
      publicKey: await crypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]),
    },
  });
  const p256 = {
    keyPem: encodePem({ label: "PRIVATE KEY", bytes: pkcs8 }),
    certPem: encodePem({ label: "CERTIFICATE", bytes: new Uint8Array(certificate.rawData) }),
  };
  const refusedClient = shake(config(SERVER), config(p256, "ecdsa_secp256r1_sha256:ed25519"));
  assert.ok(!refusedClient.server.isEstablished());
  const error = refusedClient.server.localError() ?? refusedClient.client.localError();
  assert.equal(error?.errorCode, HANDSHAKE_FAILURE);
});
