import assert from "node:assert/strict";
import type { CliEvent, ItemEvent, PlanEvent, SummaryEvent } from "../../src/cli/events.ts";
import { itemLine, planText, summaryLines } from "../../src/cli/event_text.ts";
import { Output } from "../../src/cli/output.ts";
import { createStyle } from "../../src/cli/style.ts";
import { TextReporter, type TextReporterOptions } from "../../src/cli/text_reporter.ts";
import { StderrLogger } from "../../src/cli/stderr_logger.ts";
import { FakeClock, FakeOutput } from "./support.ts";
import { planSums } from "../support/plan_sums.ts";

const PLAIN = createStyle(false);

function fixture(options: Partial<TextReporterOptions> = {}) {
  const stdout = new FakeOutput();
  const stderr = new FakeOutput();
  const clock = new FakeClock();
  const output = new Output(stdout, stderr, { onBrokenPipe() {}, onFailure() {} });
  const reporter = new TextReporter({
    output,
    clock,
    style: { stdout: PLAIN, stderr: PLAIN },
    verbosity: 0,
    listsPeers: false,
    itemize: false,
    dryRun: false,
    progress: false,
    columns: () => 80,
    failureLogger: undefined,
    ...options,
  });
  return { stdout, stderr, clock, output, reporter };
}

function textOf(event: CliEvent, options: Partial<TextReporterOptions> = {}) {
  const { stdout, stderr, reporter } = fixture(options);
  reporter.emit(event);
  reporter.flush();
  return { out: stdout.text, err: stderr.text };
}

const SUMMARY: SummaryEvent = {
  event: "summary",
  ok: true,
  sent: 0,
  received: 0,
  deleted: 0,
  renamed: 0,
  adjusted: 0,
  conflicts: 0,
  errors: 0,
  bytesSent: 0,
  bytesReceived: 0,
  bytesReused: 0,
  wireSent: 900,
  wireReceived: 800,
  files: 20_000,
  seconds: 0.3,
  connections: 1,
};

const ITEM: ItemEvent = {
  event: "item",
  action: "+",
  path: "a/b.txt",
  bytes: 12,
  direction: ">",
  type: "f",
};

Deno.test("itemLine() writes action, direction, type, size and path", () => {
  const cases: [Partial<ItemEvent>, string][] = [
    [{}, "+>f 12 a/b.txt"],
    [{ action: "M", direction: "<" }, "M<f 12 a/b.txt"],
    [{ action: "m", type: "d", bytes: 0 }, "m>d 0 a/b.txt"],
    [{ action: "R", from: "old name" }, "R>f 12 old name -> a/b.txt"],
    [{ action: "-", type: "l", bytes: 0 }, "->l 0 a/b.txt"],
    [{ action: "C", reason: "both sides changed it" }, "C>f 12 a/b.txt (both sides changed it)"],
    [{ action: "s", reason: "a\nfifo" }, "s>f 12 a/b.txt (a\\nfifo)"],
    [{ path: "x\n+>f 1 y\\" }, "+>f 12 x\\n+>f 1 y\\\\"],
    [{ path: Uint8Array.of(0x61, 0xff) }, "+>f 12 a\\xff"],
  ];
  for (const [changes, line] of cases) assert.equal(itemLine({ ...ITEM, ...changes }, PLAIN), line);
  assert.equal(itemLine(ITEM, createStyle(true)), "\x1b[32m+>f\x1b[39m 12 a/b.txt");
});

Deno.test("TextReporter prints items only where asked, the same ones for a dry run", () => {
  assert.equal(textOf(ITEM).out, "");
  const real = textOf(ITEM, { itemize: true }).out;
  assert.equal(real, "+>f 12 a/b.txt\n");
  assert.equal(textOf(ITEM, { itemize: true, dryRun: true }).out, real);
  assert.equal(textOf(ITEM, { itemize: true, verbosity: -1 }).out, real);
});

Deno.test("planText() says in words what is going to happen", () => {
  const plan: PlanEvent = {
    event: "plan",
    ...planSums(),
  };
  const cases: [Partial<PlanEvent>, string][] = [
    [{}, "Nothing to do: both sides are the same."],
    [{ send: 3, bytes: 2_000 }, "Going to send 3 (2.00 kB)."],
    [{ send: 3, receive: 1, delete: 2 }, "Going to send 3, receive 1, delete 2 (0 B)."],
    [{ send: 3, compare: 2, delete: 2 }, "Going to send up to 3, delete 2 (0 B)."],
    [{ rename: 2 }, "Going to rename 2 (0 B)."],
    [{ adjust: 1 }, "Going to change 1 folder or attribute (0 B)."],
    [{ send: 3, adjust: 1, bytes: 2_000 }, "Going to send 3 (2.00 kB)."],
    [{ conflicts: 1 }, "Going to move nothing (0 B); 1 conflict."],
  ];
  for (const [changes, text] of cases) assert.equal(planText({ ...plan, ...changes }, false), text);
  assert.equal(planText({ ...plan, delete: 5 }, true), "Would delete 5 (0 B).");
});

Deno.test("summaryLines() says how it ended, what moved and how fast", () => {
  const lines = (changes: Partial<SummaryEvent>, dryRun = false) =>
    summaryLines({ ...SUMMARY, ...changes }, dryRun, PLAIN);
  assert.deepEqual(lines({}), ["Done: 20000 files, no changes in 0.30 s."]);
  assert.deepEqual(lines({ sent: 2, deleted: 1, bytesSent: 3_000_000, bytesReused: 500 }), [
    "Done: 2 sent, 1 deleted in 0.30 s.",
    "3.00 MB of files, 500 B reused; 1.70 kB over the network, 10.0 MB/s.",
  ]);
  assert.match(lines({ ok: false, errors: 2 })[0]!, /^Done with errors: 2 failed/);
  assert.match(lines({ ok: false, conflicts: 1 })[0]!, /^Done with conflicts: 1 conflict in/);
  assert.match(lines({ ok: false })[0]!, /^Not finished/);
  assert.deepEqual(lines({}, true), ["Dry run: nothing was changed: 20000 files in 0.30 s."]);
  assert.deepEqual(lines({ adjusted: 2 }), ["Done: 2 folders or attributes changed in 0.30 s."]);
  assert.deepEqual(lines({ renamed: 1, adjusted: 2 }), ["Done: 1 renamed in 0.30 s."]);
});

Deno.test("TextReporter lists conflicts and file errors on stderr, also when quiet", () => {
  for (const verbosity of [-1, 0]) {
    const conflict: CliEvent = {
      event: "conflict",
      path: "a\x1b",
      kept: "both",
      copy: "a.conflict",
    };
    assert.deepEqual(textOf(conflict, { verbosity }), {
      out: "",
      err: "conflict: a\\x1b: both versions kept, the other one as a.conflict\n",
    });
    const error: CliEvent = { event: "file-error", path: "b", code: "denied", message: "no\nway" };
    assert.deepEqual(textOf(error, { verbosity }), {
      out: "",
      err: "error: b: no\\nway (denied)\n",
    });
  }
});

Deno.test("TextReporter keeps quiet about what nobody asked for", () => {
  const quiet = { verbosity: -1 };
  assert.deepEqual(textOf(SUMMARY, quiet), { out: "", err: "" });
  const { stdout, stderr, reporter } = fixture(quiet);
  reporter.note("by the way");
  reporter.print("asked for");
  reporter.flush();
  assert.equal(stdout.text, "asked for\n");
  assert.equal(stderr.text, "");
});

Deno.test("TextReporter prints peers as one table once the last one is known", () => {
  const { stdout, reporter } = fixture();
  const peer = { event: "peer", id: "ABC", address: null, lastSeen: null, online: false } as const;
  reporter.emit({ ...peer, name: "nas\u202e" });
  reporter.emit({ ...peer, name: "b", address: "[::1]:9", lastSeen: "2026-01-01", online: true });
  assert.equal(stdout.text, "");
  reporter.flush();
  assert.equal(
    stdout.text,
    "NAME         ID   LAST ADDRESS  LAST SEEN   ONLINE\n" +
      "nas\\u{202e}  ABC  -             never       no\n" +
      "b            ABC  [::1]:9       2026-01-01  yes\n",
  );
});

Deno.test("TextReporter prints what became of a peer, but not when quiet, and a list even then", () => {
  const { address, id, name } = { address: "nas:1", id: "ABC", name: "nas" };
  const peer = { event: "peer", id, name, address, lastSeen: null, online: false } as const;
  const paired = { event: "paired", id, name, address } as const;
  const quiet = { verbosity: -1 };
  for (const event of [peer, paired]) {
    assert.deepEqual(textOf(event, quiet), { out: "", err: "" });
    assert.match(textOf(event).out, /nas/);
  }
  assert.match(textOf(peer, { ...quiet, listsPeers: true }).out, /^NAME .*\nnas /);
});

Deno.test("TextReporter reports a failure as one line and a hint, with the stack for -vv", () => {
  const failure = {
    code: "failed",
    message: "no\x1b[2J",
    hint: "so\nwhat",
    stack: "S\n at",
  } as const;
  const { stderr, reporter } = fixture();
  reporter.fail(failure);
  assert.equal(stderr.text, "landropic: no\\x1b[2J\nhint: so\\nwhat\n");
  const verbose = fixture({ verbosity: 2 });
  verbose.reporter.fail({ ...failure, hint: undefined });
  assert.equal(verbose.stderr.text, "landropic: no\\x1b[2J\nS\n at\n");
});

Deno.test("TextReporter hands failures to the log where stderr is a stream of JSON", () => {
  const { output, clock, stderr } = fixture();
  const failureLogger = new StderrLogger({
    output,
    clock,
    run: "r",
    format: "json",
    verbosity: -1,
  });
  const { reporter } = fixture({ failureLogger });
  reporter.fail({ code: "locked", message: "busy", hint: "wait", stack: "S" });
  const line = JSON.parse(stderr.text);
  assert.deepEqual([line.level, line.message, line.code, line.hint], [
    ...["error", "busy", "locked", "wait"],
  ]);
});

Deno.test("TextReporter draws the bar on a terminal and clears it before the summary", () => {
  const { stdout, stderr, reporter } = fixture({ progress: true });
  stderr.isTerminal = true;
  const progress = { event: "progress", files: 1, totalFiles: 2, bytes: 1, totalBytes: 2 } as const;
  reporter.emit({ ...progress, rate: 1 });
  assert.match(stderr.text, /^\r 50% \[/);
  reporter.emit(SUMMARY);
  reporter.flush();
  assert.ok(stderr.text.endsWith("\r\x1b[K"));
  assert.match(stdout.text, /^Done: /);
  assert.equal(textOf({ ...progress, rate: 1 }).err, "");
});

const COMPARED = {
  event: "compared",
  peer: "nas",
  share: "photos",
  files: 2,
  bytes: 3,
  seconds: 1,
} as const;

Deno.test("TextReporter has words for every other event", () => {
  const session = { peer: "nas", share: "photos", direction: "push", watch: false } as const;
  const cases: [CliEvent, RegExp][] = [
    [
      { event: "id", id: "ABC", name: "me", fingerprint: "ff", addresses: ["[::1]:9876"] },
      /^Device id: {4}ABC\nName: +me\nFingerprint: {2}ff\nAddress: +\[::1\]:9876\n$/,
    ],
    [
      { event: "pairing", code: "1-a-b-c", invitation: "LDR1:X", expires: "soon", port: 77 },
      /1-a-b-c\n.*LDR1:X\n[^]*landropic pair 1-a-b-c\n[^]*--address HOST:77/,
    ],
    [
      { event: "paired", id: "ABC", name: "nas", address: "nas:1" },
      /^Paired with nas \(ABC, nas:1\)\.\n$/,
    ],
    [
      { event: "listening", address: "::", port: 9876, id: "A", shares: ["a", "b"] },
      /^Serving a, b on \[::\]:9876\.\n$/,
    ],
    [
      {
        event: "listening",
        address: "::",
        port: 9876,
        id: "A",
        shares: ["a"],
        metrics: "http://[::1]:9464/metrics",
      },
      /^Serving a on \[::\]:9876\.\nMetrics: http:\/\/\[::1\]:9464\/metrics\n$/,
    ],
    [{ event: "session-start", ...session }, /^nas: photos: sync started \(push\)\n$/],
    [
      { ...SUMMARY, event: "session-end", ...session, sent: 1 },
      /^nas: photos: done: 1 sent in 0\.30 s\n$/,
    ],
    [
      {
        ...SUMMARY,
        event: "session-end",
        ...session,
        received: 2,
        bytesReceived: 3_000_000,
        wireSent: 100_000,
        wireReceived: 1_400_000,
      },
      /^nas: photos: done: 2 received in 0\.30 s; 3\.00 MB of files; 1\.50 MB over the network, 10\.0 MB\/s\n$/,
    ],
    [
      { ...SUMMARY, event: "session-end", ...session, ok: false, received: 2, errors: 1 },
      /^nas: photos: done with errors: 2 received, 1 failed in 0\.30 s\n$/,
    ],
    [
      { ...SUMMARY, event: "session-end", ...session, direction: "compare", files: 3 },
      /^nas: photos: compared: 3 files in 0\.30 s\n$/,
    ],
    [
      { event: "device", name: "nas", id: "A", address: "nas:1", trusted: true },
      /^NAME +ID +ADDRESS +TRUSTED +PAIRING\nnas +A +nas:1 +yes +-\n$/,
    ],
    [{
      event: "status",
      id: "A",
      name: "me",
      configDir: "/c",
      stateDir: "/c",
      indexBytes: 5,
      peers: 1,
    }, /State: +\/c\nIndex: +5 B\n/],
    [{
      event: "peer-status",
      peer: "nas",
      id: "A",
      address: "x",
      rttMs: 1.5,
      pathMtu: 1472,
      packetsSent: 200,
      packetsLost: 1,
      shares: [{ name: "p", access: "read" }],
    }, /1\.50 ms\n.*1472 bytes\n.*1 lost \(0\.5%\)\n.*p \(read only\)\n$/],
    [
      { event: "verified", ok: false, files: 2, bytes: 3, errors: 1, learned: 0, seconds: 1 },
      /^2 files, 3 B: 1 not as synced, in 1\.0 s\.\n$/,
    ],
    [
      { event: "verified", ok: true, files: 2, bytes: 3, errors: 0, learned: 2, seconds: 1 },
      /^2 files, 3 B: all as synced \(2 read for the first time\), in/,
    ],
    [
      { ...COMPARED, ok: true, root: "aa", peerRoot: "aa", differences: 0, errors: 0 },
      /^This folder: {2}aa\nnas:photos: {3}aa\n2 files, 3 B: the same on both sides, in 1\.0 s\.\n$/,
    ],
    [
      { ...COMPARED, ok: false, root: "aa", peerRoot: "bb", differences: 1, errors: 2 },
      /\n2 files, 3 B: 1 difference, 2 unreadable, in/,
    ],
    [
      { event: "check", name: "udp", ok: false, message: "blocked", hint: "open it" },
      /^FAIL {2}udp: blocked\n +hint: open it\n$/,
    ],
    [
      {
        event: "bench",
        peer: "nas",
        address: "x",
        handshakeMs: 12,
        rttMs: 100,
        pathMtu: 1200,
        uploadRate: 1e6,
        downloadRate: 2e6,
        seconds: 10,
      },
      /Handshake: +12\.0 ms\nRound trip: +100 ms\n[^]*Upload: +1\.00 MB\/s\nDownload: +2\.00 MB\/s\n$/,
    ],
  ];
  for (const [event, text] of cases) assert.match(textOf(event).out, text, event.event);
  const connected = { event: "connected", peer: "nas", address: "x:1", rttMs: 0.21 } as const;
  assert.deepEqual(textOf(connected), { out: "", err: "" });
  assert.equal(textOf(connected, { verbosity: 1 }).err, "Connected to nas at x:1, 0.21 ms away.\n");
});

Deno.test("TextReporter keeps quiet about sessions of a watching peer that changed nothing", () => {
  const session = { peer: "nas", share: "photos", direction: "push", watch: true } as const;
  const { stdout, reporter } = fixture();
  reporter.emit({ event: "session-start", ...session });
  reporter.emit({ ...SUMMARY, event: "session-end", ...session });
  reporter.flush();
  assert.equal(stdout.text, "");
  reporter.emit({ ...SUMMARY, event: "session-end", ...session, received: 1 });
  reporter.flush();
  assert.match(stdout.text, /^nas: photos: done: 1 received in /);
});
