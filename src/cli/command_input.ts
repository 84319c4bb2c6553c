import { UsageError } from "../base/errors.ts";
import { type CommandInput, type CommandSpec, usageLine } from "./command_spec.ts";
import { quote } from "./flag_values.ts";
import { BadValue } from "./values/bad_value.ts";

/**
 * Puts together what a command's `build` works with, after counting its operands.
 *
 * @throws {UsageError} on too few or too many operands.
 */
export function commandInput(
  spec: CommandSpec<unknown>,
  rest: Omit<CommandInput, "parse">,
): CommandInput {
  const { operands } = rest;
  const missing = spec.operands[operands.length];
  if (missing?.required === true) {
    throw new UsageError(`missing argument ${missing.name}`, usageLine(spec));
  }
  if (operands.length > spec.operands.length) {
    const extra = operands[spec.operands.length]!;
    throw new UsageError(`one argument too many: ${quote(extra)}`, usageLine(spec));
  }
  return { ...rest, parse };

  function parse<T>(index: number, parser: (text: string) => T): T {
    const text = operands[index]!;
    try {
      return parser(text);
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      const name = spec.operands[index]!.name;
      throw new UsageError(`bad value ${quote(text)} for ${name}: ${error.message}`, error.hint);
    }
  }
}
