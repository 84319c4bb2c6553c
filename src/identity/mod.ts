/**
 * Who this device is and which others it trusts.
 *
 * Owns the device key and its certificate, the text form of device ids, the check of a peer's
 * certificate after a handshake, the trust store, names of devices and peers, and the change to a new
 * key. Everything it keeps lies in one private folder, in files that are replaced whole.
 *
 * It never opens a connection, closes none (a removed peer's live ones are the caller's to close),
 * never decides what a trusted peer may do, and never takes a key from a message: fingerprints come
 * from certificates that a connection really showed, or from the user. How two devices come to trust
 * each other by a code is in `pairing/mod.ts`, a door of its own since it loads a curve library.
 */
export {
  DEVICE_ID_CHARS,
  DeviceIdError,
  deviceIdFromFingerprint,
  FINGERPRINT_BYTES,
  fingerprintOf,
  fingerprintOfSpki,
  parseDeviceId,
  SHORT_ID_CHARS,
  shortId,
} from "./device_id.ts";
export {
  beginRotation,
  IDENTITY_FILE,
  type IdentityOptions,
  loadNextIdentity,
  loadOrCreateIdentity,
  NEXT_IDENTITY_FILE,
  type NextIdentity,
} from "./device_identity.ts";
export type { DeviceIdentity } from "./identity_file.ts";
export {
  DEVICE_NAME_FILE,
  type DeviceNameOptions,
  loadDeviceName,
  storeDeviceName,
} from "./device_name.ts";
export {
  CLOCK_SLACK_MS,
  type HandshakePeer,
  type PeerPolicy,
  type TrustLookup,
  type VerifiedPeer,
  verifyPeer,
} from "./certificate_verifier.ts";
export { CERTIFICATE_BYTES_MAX } from "./certificate.ts";
export { IdentityError, type IdentityReason } from "./identity_error.ts";
export { formatPeerAddress, parsePeerAddress, type PeerAddress } from "./peer_address.ts";
export { checkPeerName, cleanPeerName } from "./peer_name.ts";
export {
  createRotation,
  type KeyRotation,
  ROTATION_KEEP_MS,
  ROTATION_SWITCH_MS,
  type VerifiedRotation,
  verifyRotation,
} from "./rotation.ts";
export type { NewTrust, Sighting } from "./trust_edits.ts";
export type { ShareGrant, TrustEntry, TrustMethod } from "./trust_entry.ts";
export { TRUST_FILE, TrustStore, type TrustStoreOptions } from "./trust_store.ts";
