import { nearest } from "../suggest.ts";
import { BadValue } from "./bad_value.ts";

/** Makes a parser that accepts exactly the given words. */
export function choice<const T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    const near = nearest(text, words);
    throw new BadValue(
      `expected ${words.slice(0, -1).join(", ")} or ${words.at(-1)}` +
        (near === undefined ? "" : ` (did you mean ${near}?)`),
    );
  };
}
