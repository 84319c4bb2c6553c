import type { Hello } from "../../src/protocol/mod.ts";

/** What one side of a test says of itself. */
export type TestHello = Omit<Hello, "type">;

/** A Hello that names these features, and no others. */
export function testHello(...features: readonly string[]): TestHello {
  return { minor: 0, features, implementation: "test", name: "test" };
}
