import type { ServiceAnnouncement } from "./discovery.ts";
import type { DnsPacket, DnsQuestion, DnsRecord } from "./dns_codec.ts";

/** The service type of landropic (RFC 6763 section 7). */
export const SERVICE_TYPE = "_landropic._udp.local";
/** Version of the text record; others are not read. */
export const TXT_VERSION = "1";

/** Seconds that others may remember a record; short, since a killed process says no goodbye. */
const TTL_SECONDS = 120;

/** One announcement with the names it goes by. */
export interface LocalService extends ServiceAnnouncement {
  /** Label that tells apart two announcements of one device: `abcdefgh-1a2b3c`. */
  readonly instance: string;
}

/**
 * Names an announcement. The label takes the place of the machine's host name, which is often its
 * owner's; it holds the id prefix, announced anyway, and random hex.
 *
 * @param random 3 random bytes.
 */
export function nameService(service: ServiceAnnouncement, random: Uint8Array): LocalService {
  const suffix = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { ...service, instance: `${service.idPrefix.toLowerCase()}-${suffix}` };
}

/** Asks who is there (RFC 6763 section 4.1). */
export function searchQuery(): DnsPacket {
  const questions = [{ name: SERVICE_TYPE, type: "PTR" }];
  return { type: "query", questions, answers: [], additionals: [] };
}

/**
 * Everything about a service in one message: who asks for any of it needs the rest too.
 *
 * @param addresses IP literals without zones, valid on the link that the message goes out on.
 * @param goodbye Tells others to forget (RFC 6762 section 10.1).
 */
export function serviceResponse(
  service: LocalService,
  addresses: readonly string[],
  goodbye = false,
): DnsPacket {
  const { instance, host } = namesOf(service);
  const ttl = goodbye ? 0 : TTL_SECONDS;
  const unique = { ttl, class: "IN", flush: true };
  const answers: DnsRecord[] = [
    { name: SERVICE_TYPE, type: "PTR", class: "IN", ttl, data: instance },
    { name: instance, type: "SRV", ...unique, data: { port: service.port, target: host } },
    { name: instance, type: "TXT", ...unique, data: textOf(service) },
    ...addresses.map((data) => ({
      name: host,
      type: data.includes(":") ? "AAAA" : "A",
      ...unique,
      data,
    })),
  ];
  return { type: "response", questions: [], answers, additionals: [] };
}

/** True where a question asks for something that the service answers. */
export function answersQuestion(service: LocalService, { name, type }: DnsQuestion): boolean {
  const { instance, host } = namesOf(service);
  const types = new Map([
    [SERVICE_TYPE, ["PTR"]],
    [instance, ["SRV", "TXT"]],
    [host, ["A", "AAAA"]],
  ]).get(name.toLowerCase());
  return types !== undefined && (type === "ANY" || types.includes(type));
}

function namesOf({ instance }: LocalService): { instance: string; host: string } {
  return { instance: `${instance}.${SERVICE_TYPE}`, host: `${instance}.local` };
}

function textOf({ idPrefix, slot }: LocalService): string[] {
  const text = [`v=${TXT_VERSION}`, `id=${idPrefix.toUpperCase()}`];
  return slot === undefined ? text : [...text, `slot=${slot}`];
}
