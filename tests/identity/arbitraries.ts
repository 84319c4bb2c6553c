import fc from "fast-check";

/**
 * Text of any code points, lone surrogates included, most of them from the ASCII range. Much faster to
 * draw than `fc.string({ unit: "binary" })`.
 */
export function anyText(maxLength: number): fc.Arbitrary<string> {
  const codePoint = fc.oneof(
    fc.nat(0x7f),
    fc.nat(0x10ffff),
    fc.integer({ min: 0x2000, max: 0x206f }),
  );
  return fc.array(codePoint, { maxLength }).map((points) => String.fromCodePoint(...points));
}
