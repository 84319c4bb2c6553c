import { systemClock } from "../../src/base/clock.ts";
import type { DeviceId } from "../../src/base/ids.ts";
import { type Index, openIndex } from "../../src/index/mod.ts";
import { OpenShare, type OpenShareOptions } from "../../src/sync/mod.ts";

/** A device for session tests: a state folder, and the id it goes by. */
export interface TestDevice {
  readonly home: string;
  readonly id: DeviceId;
}

/** Makes a device whose id is derived from a letter; no key is needed without a network. */
export function testDevice(home: string, letter: string): TestDevice {
  Deno.mkdirSync(home, { recursive: true });
  return { home, id: letter.repeat(56) as DeviceId };
}

/** Opens what a device remembers. */
export function openIndexOf({ home, id }: TestDevice): Promise<Index> {
  return openIndex({ path: `${home}/index.db`, deviceId: id });
}

/** Opens a folder as one session of a device does; who finds it locked is told so at once. */
export function openShareOf(
  { home, id }: TestDevice,
  options: Pick<OpenShareOptions, "index" | "path" | "role"> & Partial<OpenShareOptions>,
): Promise<OpenShare> {
  return OpenShare.open({
    deviceId: id,
    lockFolder: `${home}/locks`,
    activity: "test",
    lockWaitMs: 0,
    clock: systemClock,
    signal: new AbortController().signal,
    ...options,
  });
}
