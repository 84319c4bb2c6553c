import { utf8 } from "../../base/bytes.ts";
import { sha256 } from "../../base/digest.ts";

const SEED = utf8("LDR-gear/1");
const WORDS_PER_DIGEST = 8;

/**
 * The gear table of FastCDC (Xia et al., USENIX ATC 2016, section 3.2): one random word a byte value.
 *
 * Word `8 b + w` is word `w`, big-endian, of SHA-256("LDR-gear/1" ‖ u8 b), for b from 0 to 31. Part of
 * what a chunker id names: another table means other cuts everywhere, hence a new seed and new ids.
 */
export const GEAR: Int32Array = deriveGear();

/** The gear hash of `count` zero bytes, from a hash of 0; constant from 32 bytes on. */
export function gearOfZeros(count: number): number {
  // h' = 2 h + g, n times from 0, is g (2^n - 1), modulo 2^32.
  return Math.imul(GEAR[0]!, count < 32 ? (2 ** count - 1) | 0 : -1);
}

function deriveGear(): Int32Array {
  const table = new Int32Array(256);
  const input = new Uint8Array(SEED.length + 1);
  input.set(SEED);
  for (let block = 0; block < table.length / WORDS_PER_DIGEST; block++) {
    input[SEED.length] = block;
    const words = new DataView(sha256(input).buffer);
    for (let word = 0; word < WORDS_PER_DIGEST; word++) {
      table[block * WORDS_PER_DIGEST + word] = words.getInt32(word * 4);
    }
  }
  return table;
}
