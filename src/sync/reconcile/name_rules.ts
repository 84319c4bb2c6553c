import type { SideTraits } from "./tree_view.ts";

/** True if different names can be one name there. */
export function foldsNames(traits: SideTraits): boolean {
  return traits.foldsCase === true || traits.foldsUnicode === true;
}

/** Two names with the same key are one name on a side with these traits. */
export function nameKey(name: string, traits: SideTraits): string {
  const form = traits.foldsUnicode ? name.normalize("NFC") : name;
  return traits.foldsCase ? form.toLowerCase() : form;
}

const WINDOWS_CHARACTER = /[\\:*?"<>|]/;
const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?: *\..*)?$/i;
const WINDOWS_SHORT = /^[^.]{1,6}~[0-9]{1,6}(?:\.[^.]{0,3})?$/;

/** Says why Windows can't have a name, or `undefined` for a good one. */
export function windowsNameFault(name: string): string | undefined {
  const found = WINDOWS_CHARACTER.exec(name);
  if (found !== null) {
    return `${found[0]} at position ${found.index + 1} is not possible on Windows`;
  }
  if (WINDOWS_DEVICE.test(name)) return "it names a device on Windows";
  if (name.endsWith(".") || name.endsWith(" ")) return "Windows drops the last character";
  if (WINDOWS_SHORT.test(name)) return "it looks like a short form of another name on Windows";
  return undefined;
}
