import { type Bytes, concat, toHex, utf8 } from "../base/bytes.ts";
import { sha256 } from "../base/digest.ts";
import { PLACE_BYTES } from "../base/place.ts";
import { basename, dirname, join } from "../base/system_path.ts";

/**
 * Names a folder and all those above it, the folder first, so that two processes of one machine can tell
 * whether their folders lie in each other, by whatever paths they go there. Salted by what the machine is
 * called since it was started: elsewhere the names mean nothing. A folder that is missing has a name that
 * no other has; those above it that are missing are left out.
 */
export function placesOf(path: string): Bytes {
  const machine = nameOfMachine();
  const places = [placeOf(path, machine) ?? nameOf(`${machine}/missing/${path}`)];
  for (let at = realPathOf(path), above = dirname(at); at !== above; above = dirname(at)) {
    at = above;
    const place = placeOf(at, machine);
    if (place !== undefined) places.push(place);
  }
  return concat(places);
}

function realPathOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return dirname(path) === path ? path : join(realPathOf(dirname(path)), basename(path));
  }
}

/** How two folders lie to each other, by what {@linkcode placesOf} says of them. */
export type Overlap = "same" | "inside" | "around";

/** @returns How `own` lies to `other`; `undefined` where neither holds the other. */
export function overlapOf(own: Uint8Array, other: Uint8Array): Overlap | undefined {
  const [first, ...above] = split(own);
  const [otherFirst, ...otherAbove] = split(other);
  if (first === undefined || otherFirst === undefined) return undefined;
  if (first === otherFirst) return "same";
  if (above.includes(otherFirst)) return "inside";
  return otherAbove.includes(first) ? "around" : undefined;
}

function split(places: Uint8Array): string[] {
  const found: string[] = [];
  for (let i = 0; i < places.length; i += PLACE_BYTES) {
    found.push(toHex(places.subarray(i, i + PLACE_BYTES)));
  }
  return found;
}

function placeOf(path: string, machine: string): Uint8Array | undefined {
  try {
    const { dev, ino } = Deno.statSync(path);
    if (!ino) return undefined;
    return nameOf(`${machine}/${dev}/${ino}`);
  } catch {
    return undefined;
  }
}

function nameOf(what: string): Uint8Array {
  return sha256(utf8(what)).subarray(0, PLACE_BYTES);
}

function nameOfMachine(): string {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id");
  } catch {
    return Deno.hostname();
  }
}
