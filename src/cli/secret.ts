import { UsageError } from "../base/errors.ts";
import type { CommandInput } from "./command_spec.ts";

/** A text that must not reach logs, JSON or error messages: every way to print it hides it. */
export class Secret {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  /** The text itself, for the one place that uses it. */
  reveal(): string {
    return this.#text;
  }
  toString(): string {
    return "[secret]";
  }
  toJSON(): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** What the user was given by the other device. */
export type PairingSecret =
  | { readonly kind: "code"; readonly code: Secret }
  | { readonly kind: "invitation"; readonly invitation: Secret };

/**
 * Finds the pairing secret: the argument; a line of stdin where the argument is `-`; else
 * `LANDROPIC_CODE` or `LANDROPIC_INVITATION`.
 *
 * @returns `undefined` where there is none, which means this device is the one to show a code.
 * @throws {UsageError} on an empty or overlong text, or both variables at once. The text itself is
 * never part of a message.
 */
export async function readPairingSecret(
  operand: string | undefined,
  { environment, readLine }: Pick<CommandInput, "environment" | "readLine">,
): Promise<PairingSecret | undefined> {
  if (operand === "-") return classify(await readLine("code or invitation: "), "stdin");
  if (operand !== undefined) return classify(operand, "the argument");
  const code = environment["LANDROPIC_CODE"] || undefined;
  const invitation = environment["LANDROPIC_INVITATION"] || undefined;
  if (code !== undefined && invitation !== undefined) {
    throw new UsageError("LANDROPIC_CODE and LANDROPIC_INVITATION are both set", "unset one");
  }
  if (code !== undefined) return classify(code, "LANDROPIC_CODE");
  if (invitation !== undefined) return classify(invitation, "LANDROPIC_INVITATION");
  return undefined;
}

function classify(text: string, from: string): PairingSecret {
  const trimmed = text.trim();
  if (trimmed === "") {
    throw new UsageError(
      `no code and no invitation in ${from}`,
      "`landropic pair` on the other device shows them",
    );
  }
  if (trimmed.length > SECRET_LENGTH_MAX) {
    throw new UsageError(`too long for a code or an invitation (from ${from})`);
  }
  // An invitation names its format in front; a code begins with its slot number.
  return /^ldr\d*:/i.test(trimmed)
    ? { kind: "invitation", invitation: new Secret(trimmed) }
    : { kind: "code", code: new Secret(trimmed) };
}

const SECRET_LENGTH_MAX = 4096;
