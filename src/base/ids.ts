/**
 * A device id in its one canonical text form: 8 groups of 7 base32 characters joined by dashes, four
 * of them check characters. It stands for the SHA-256 of the device's public key. Only src/identity
 * makes one; equal ids are equal strings.
 */
export type DeviceId = string & { readonly __brand: "DeviceId" };
