import assert from "node:assert/strict";
import {
  countFlag,
  environmentName,
  listFlag,
  oppositeName,
  switchFlag,
  valueFlag,
} from "../../src/cli/flags.ts";
import { FlagValues, nearestOption, quote, type Setting } from "../../src/cli/flag_values.ts";
import { wholeNumber } from "../../src/cli/values/whole_number.ts";

const SWITCH = switchFlag("fast", "");
const OTHER = switchFlag("slow", "");
const COUNT = countFlag("verbose", "");
const NUMBER = valueFlag("retry", "N", "", wholeNumber(0, 9));
const LIST = listFlag("exclude", "GLOB", "", (text) => `-${text}`);
const SECOND_LIST = listFlag("include", "GLOB", "", (text) => `+${text}`);

interface Sources {
  typed?: [name: string, text: string][];
  environment?: Record<string, string>;
  settings?: Record<string, string[]>;
}

function values({ typed = [], environment = {}, settings = {} }: Sources): FlagValues {
  return new FlagValues([SWITCH, OTHER, COUNT, NUMBER, LIST, SECOND_LIST], {
    occurrences: typed.map(([name, text]) => ({ name, text })),
    environment,
    settings: new Map(
      Object.entries(settings).map(([name, texts]): [string, Setting] => [
        name,
        { texts, label: `"${name}" in config.json` },
      ]),
    ),
  });
}

Deno.test("FlagValues takes the command line, else the environment, else the config file", () => {
  const settings = { retry: ["1"] };
  const environment = { LANDROPIC_RETRY: "2" };
  const typed: [string, string][] = [["retry", "3"]];
  const of = (sources: Sources) => {
    const found = values(sources);
    return [found.get(NUMBER), found.source(NUMBER)];
  };
  assert.deepEqual(of({ typed, environment, settings }), [3, "flag"]);
  assert.deepEqual(of({ environment, settings }), [2, "environment"]);
  assert.deepEqual(of({ settings }), [1, "config"]);
  assert.deepEqual(of({}), [undefined, undefined]);
  assert.deepEqual(of({ environment: { LANDROPIC_RETRY: "" }, settings }), [1, "config"]);
});

Deno.test("FlagValues lets a switch be turned off again by a higher source", () => {
  const environment = { LANDROPIC_FAST: "yes" };
  assert.equal(values({ environment }).get(SWITCH), true);
  assert.equal(values({ environment, typed: [["fast", "false"]] }).get(SWITCH), false);
  assert.equal(values({ environment: { LANDROPIC_FAST: "0" } }).get(SWITCH), false);
});

Deno.test("FlagValues adds up counts, and takes numbers for them elsewhere", () => {
  const typed: [string, string][] = [["verbose", "true"], ["verbose", "true"]];
  assert.equal(values({ typed }).get(COUNT), 2);
  assert.equal(values({ typed: [...typed, ["verbose", "false"]] }).get(COUNT), 0);
  assert.equal(values({ environment: { LANDROPIC_VERBOSE: "2" } }).get(COUNT), 2);
  assert.equal(values({ settings: { verbose: ["true"] } }).get(COUNT), 1);
});

Deno.test("FlagValues splits lists of the environment at line breaks only", () => {
  const found = values({ environment: { LANDROPIC_EXCLUDE: "a b,c\n*.tmp\n" } });
  assert.deepEqual(found.get(LIST), ["-a b,c", "-*.tmp"]);
});

Deno.test("FlagValues.inOrder() keeps the order of the line across flags", () => {
  const typed: [string, string][] = [["include", "1"], ["exclude", "2"], ["include", "3"]];
  assert.deepEqual(values({ typed }).inOrder(LIST, SECOND_LIST), ["+1", "-2", "+3"]);
  const mixed = values({ typed, environment: {}, settings: {} });
  assert.deepEqual(mixed.inOrder(LIST), ["-2"]);
});

Deno.test("FlagValues.exclusive() refuses two switches of one source, and lets a higher one win", () => {
  const typed: [string, string][] = [["fast", "true"]];
  const environment = { LANDROPIC_SLOW: "1" };
  assert.equal(values({ typed, environment }).exclusive(SWITCH, OTHER), SWITCH);
  assert.equal(values({ environment }).exclusive(SWITCH, OTHER), OTHER);
  assert.equal(values({}).exclusive(SWITCH, OTHER), undefined);
  assert.throws(
    () => values({ typed: [...typed, ["slow", "true"]] }).exclusive(SWITCH, OTHER),
    /--fast and --slow exclude each other/,
  );
});

Deno.test("FlagValues names the source of a bad value", () => {
  const bad = (sources: Sources) => () => values(sources);
  assert.throws(bad({ typed: [["retry", "x"]] }), /bad value "x" for --retry: expected a whole/);
  assert.throws(bad({ environment: { LANDROPIC_RETRY: "x" } }), /for LANDROPIC_RETRY:/);
  assert.throws(bad({ settings: { retry: ["x"] } }), /for "retry" in config.json:/);
  // Also where a later one would win.
  assert.throws(bad({ typed: [["retry", "x"], ["retry", "1"]] }), /bad value/);
});

Deno.test("quote() shows any text on one printable line of bounded length", () => {
  assert.equal(quote("a\n\u202eb"), '"a\\n\\u{202e}b"');
  assert.equal([...quote("😀".repeat(500))].length, 103);
});

Deno.test("oppositeName() goes back and forth, and environmentName() shouts", () => {
  for (const name of ["delete", "no-delete"]) assert.equal(oppositeName(oppositeName(name)), name);
  assert.equal(environmentName("no-qr"), "LANDROPIC_NO_QR");
});

Deno.test("nearestOption() knows flags, beginnings of flags and opposites", () => {
  const flags = [SWITCH, NUMBER, LIST];
  assert.equal(nearestOption("--fsat", flags), "fast");
  assert.equal(nearestOption("--excl=x", flags), "exclude");
  assert.equal(nearestOption("--no-fats", flags), "no-fast");
  assert.equal(nearestOption("--hlep", flags), "help");
  assert.equal(nearestOption("--zzzzzz", flags), undefined);
});
