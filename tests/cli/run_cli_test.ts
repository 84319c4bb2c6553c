import assert from "node:assert/strict";
import { join } from "node:path";
import { LandropicError } from "../../src/base/errors.ts";
import type { SummaryEvent } from "../../src/cli/events.ts";
import type { CliContext } from "../../src/cli/handlers.ts";
import { runCli } from "../../src/cli/run_cli.ts";
import { FakeHost, recordingHandlers, runRecorded } from "./support.ts";
import { planSums } from "../support/plan_sums.ts";

const SUMMARY: SummaryEvent = {
  event: "summary",
  ok: false,
  sent: 0,
  received: 0,
  deleted: 0,
  renamed: 0,
  adjusted: 0,
  conflicts: 1,
  errors: 0,
  bytesSent: 0,
  bytesReceived: 0,
  bytesReused: 0,
  wireSent: 0,
  wireReceived: 0,
  files: 1,
  seconds: 1,
  connections: 1,
};

Deno.test("runCli() hands the typed command to its handler and exits with 0", async () => {
  const host = new FakeHost();
  const { code, commands } = await runRecorded(["peers", "rename", "a", "b"], host);
  assert.equal(code, 0);
  assert.deepEqual(commands, [{ command: "peers rename", peer: "a", name: "b" }]);
  assert.equal(host.stdout.text + host.stderr.text, "");
  assert.equal(host.listeners.size, 0);
});

Deno.test("runCli() gives handlers the run, the home and the reporter of this run", async () => {
  const host = new FakeHost();
  let seen: CliContext | undefined;
  const { code } = await runRecorded(["id", "--json"], host, (_, context) => {
    seen = context;
    assert.ok(Deno.statSync(context.paths.configDir).isDirectory);
    context.reporter.emit({ event: "id", id: "A", name: "n", fingerprint: "f", addresses: [] });
  });
  assert.equal(code, 0);
  assert.equal(seen!.run, "run1");
  assert.equal(seen!.paths.configDir, host.environment["LANDROPIC_HOME"]);
  assert.deepEqual(host.stdout.events.map(({ event, run }) => [event, run]), [["id", "run1"]]);
});

Deno.test("runCli() turns a failure into its exit code and one line", async () => {
  const cases: [unknown, number, string][] = [
    [
      new LandropicError("peer_unreachable", "Cannot reach nas", "is it on?"),
      10,
      [
        "landropic: Cannot reach nas",
        "hint: is it on?",
        "",
      ].join("\n"),
    ],
    [new LandropicError("safety_limit", "stop"), 5, "landropic: stop\n"],
    [new TypeError("bug"), 1, "landropic: bug\n"],
    ["a string", 1, "landropic: a string\n"],
    [null, 1, "landropic: null\n"],
  ];
  for (const [thrown, expected, text] of cases) {
    const host = new FakeHost();
    const { code } = await runRecorded(["sync", "nas"], host, () => {
      throw thrown;
    });
    assert.equal(code, expected);
    assert.equal(host.stderr.text, text);
    assert.equal(host.stdout.text, "");
  }
});

Deno.test("runCli() prints stacks with -vv alone", async () => {
  for (const [flag, shown] of [["-v", false], ["-vv", true]] as const) {
    const host = new FakeHost();
    await runRecorded(["id", flag], host, () => {
      throw new Error("deep", { cause: new Error("deeper") });
    });
    assert.equal(/ at .*run_cli_test/.test(host.stderr.text), shown);
    assert.equal(host.stderr.text.includes("caused by: Error: deeper"), shown);
  }
});

Deno.test("runCli() reports mistakes in the form the line asks for, and makes no home then", async () => {
  const home = join(await Deno.makeTempDir(), "home");
  const run = async (args: string[], environment = {}) => {
    const host = new FakeHost();
    host.environment = { LANDROPIC_HOME: home, ...environment };
    const { handlers, commands } = recordingHandlers();
    assert.equal(await runCli(args, handlers, host), 2);
    assert.deepEqual(commands, []);
    return host;
  };
  const text = await run(["sync", "nas", "--detele"]);
  assert.match(
    text.stderr.text,
    /^landropic: unknown option --detele \(did you mean --delete\?\)\n/,
  );
  assert.equal(text.stdout.text, "");
  for (
    const [args, environment] of [
      [["sync", "--json", "nas", "--detele"], {}],
      [["sync", "nas", "--retry", "x", "--json"], {}],
      [["sync", "nas", "--detele"], { LANDROPIC_JSON: "1" }],
      [["--json", "nonsense"], {}],
    ] as const
  ) {
    const json = await run([...args], environment);
    assert.equal(json.stderr.text, "");
    assert.deepEqual(json.stdout.events.map(({ event, code }) => [event, code]), [[
      "error",
      "usage",
    ]]);
  }
  await assert.rejects(Deno.stat(home), Deno.errors.NotFound);
  await Deno.remove(join(home, ".."));
});

Deno.test("runCli() reads the config file of the home", async () => {
  const home = await Deno.makeTempDir();
  await Deno.writeTextFile(join(home, "config.json"), '{"json": true, "sync": {"bwlimit": "1M"}}');
  const host = new FakeHost();
  host.environment = { LANDROPIC_HOME: home };
  const { handlers, commands } = recordingHandlers((_, { reporter }) =>
    reporter.emit({
      event: "plan",
      ...planSums(),
    })
  );
  assert.equal(await runCli(["sync", "nas"], handlers, host), 0);
  const [command] = commands;
  assert.ok(command?.command === "sync" && command.rateLimit === 1_000_000);
  assert.equal(host.stdout.events[0]!["event"], "plan");
  await Deno.remove(home, { recursive: true });
});

Deno.test("runCli() says so where the build lacks a command", async () => {
  const host = new FakeHost();
  const home = await Deno.makeTempDir();
  host.environment = { LANDROPIC_HOME: home };
  assert.equal(await runCli(["id"], {}, host), 1);
  assert.match(host.stderr.text, /this build has no command "id"/);
  await Deno.remove(home, { recursive: true });
});

Deno.test("runCli() ends sync --json with the summary, whatever goes wrong", async () => {
  const conflicts = new LandropicError("conflicts", "1 conflict");
  const after = new FakeHost();
  const ended = await runRecorded(["sync", "nas", "--json"], after, (_, { reporter }) => {
    reporter.emit(SUMMARY);
    throw conflicts;
  });
  assert.equal(ended.code, 4);
  assert.deepEqual(after.stdout.events.map(({ event }) => event), ["summary"]);

  const before = new FakeHost();
  const failed = await runRecorded(["sync", "nas", "--json"], before, () => {
    throw new LandropicError("peer_unreachable", "gone");
  });
  assert.equal(failed.code, 10);
  assert.deepEqual(before.stdout.events.map(({ event }) => event), ["error", "summary"]);
});

Deno.test("runCli() aborts on a signal and exits with its code, however the handler ends", async () => {
  for (const ending of ["returns", "throws"]) {
    const host = new FakeHost();
    const { code } = await runRecorded(["serve", "."], host, async (_, { signal }) => {
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
      host.listeners.get("SIGTERM")!();
      await aborted;
      if (ending === "throws") signal.throwIfAborted();
    });
    assert.equal(code, 143);
    const said = ending === "throws" ? "landropic: stopped by SIGTERM\n" : "";
    assert.equal(host.stderr.text, said);
  }
});

Deno.test("runCli() lets a signal end the wait for stdin", async () => {
  const host = new FakeHost();
  host.stdin.read = () => {
    setTimeout(() => host.listeners.get("SIGINT")!(), 0);
    return new Promise(() => {});
  };
  const { code } = await runRecorded(["pair", "-"], host);
  assert.equal(code, 130);
});

Deno.test("runCli() ends quietly when the reader of stdout is gone", async () => {
  const host = new FakeHost();
  host.stdout.failure = new Deno.errors.BrokenPipe("gone");
  const { code } = await runRecorded(["peers", "--json"], host, async (_, context) => {
    context.reporter.emit({ event: "pairing", code: "c", invitation: "i", expires: "e", port: 1 });
    context.reporter.flush();
    await Promise.resolve();
    context.signal.throwIfAborted();
  });
  assert.equal(code, 141);
  assert.equal(host.stderr.text, "");
});

Deno.test("runCli() fails when its output cannot be written, also that of help", async () => {
  for (const args of [["--help"], ["id"]]) {
    const host = new FakeHost();
    host.stdout.failure = new Error("No space left on device");
    const { code } = await runRecorded(args, host, (_, { reporter }) => reporter.print("x"));
    assert.equal(code, 14);
    assert.equal(host.stderr.text, "landropic: Cannot write to stdout: No space left on device\n");
  }
});

Deno.test("runCli() asks only people, and takes --yes for an answer", async () => {
  const answers: [string[], boolean, string, boolean, string][] = [
    [["id"], false, "y\n", false, ""],
    [["id", "--yes"], false, "", true, ""],
    [["id"], true, "Yes \n", true, "Sure? [y/N] "],
    [["id"], true, "\n", false, "Sure? [y/N] "],
    [["id"], true, "yep\n", false, "Sure? [y/N] "],
    [["id"], true, "", false, "Sure? [y/N] "],
  ];
  for (const [args, isTerminal, typed, expected, prompt] of answers) {
    const host = new FakeHost();
    host.stdin.isTerminal = isTerminal;
    host.stdinText = typed;
    let answer: boolean | undefined;
    await runRecorded(args, host, async (_, { confirm }) => {
      answer = await confirm("Sure?");
    });
    assert.equal(answer, expected);
    assert.equal(host.stderr.text, prompt);
  }
});

Deno.test("runCli() colours terminals alone, and only where nothing forbids it", async () => {
  const cases: [string[], Record<string, string>, boolean, boolean][] = [
    [[], {}, true, true],
    [[], {}, false, false],
    [["--no-color"], {}, true, false],
    [[], { NO_COLOR: "1" }, true, false],
    [[], { NO_COLOR: "" }, true, true],
    [[], { TERM: "dumb" }, true, false],
    [[], { LANDROPIC_NO_COLOR: "1" }, true, false],
    [["--color"], { NO_COLOR: "1" }, true, true],
    [["--color"], {}, false, false],
  ];
  for (const [args, environment, isTerminal, colored] of cases) {
    const host = new FakeHost();
    host.environment = environment;
    host.stdout.isTerminal = isTerminal;
    host.stderr.isTerminal = isTerminal;
    await runRecorded(["sync", "nas", "-n", ...args], host, (_, { reporter }) => {
      reporter.emit(SUMMARY);
      throw new Error("no");
    });
    assert.equal(host.stdout.text.includes("\x1b"), colored, JSON.stringify([args, environment]));
    assert.equal(host.stderr.text.includes("\x1b"), colored);
  }
});
