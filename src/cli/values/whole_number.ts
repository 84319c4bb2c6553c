import { BadValue } from "./bad_value.ts";

/**
 * Makes a parser of whole numbers in a range, both ends included.
 *
 * @returns A parser that throws `BadValue` on signs, fractions, exponents and what is out of range.
 */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) {
      throw new BadValue(`expected a whole number from ${min} to ${max}`);
    }
    return value;
  };
}
