import assert from "node:assert/strict";
import { COMMANDS } from "../../../src/cli/commands/all.ts";
import type { PairCommand } from "../../../src/cli/commands/pair.ts";
import type { VerifyCommand } from "../../../src/cli/commands/verify.ts";
import { environmentName, oppositeName } from "../../../src/cli/flags.ts";
import { GLOBAL_FLAGS } from "../../../src/cli/global_flags.ts";
import { build } from "../support.ts";

const LISTEN_DEFAULT = { kind: "ipv6", host: "::", zone: undefined, port: 9876 };
const NAS = { kind: "name", host: "nas", zone: undefined, port: 9876 };
const DEVICE_ID = "MFZWI3D-BONSGYC-YLTMRWG-C43ENRQ-XGZDMMF-ZWI3DBO-NSGYCYL-TMRWGC4";

Deno.test("each command builds its options from operands and flags", async () => {
  const serve = {
    command: "serve",
    shares: [{ name: "default", dir: "/srv", readOnly: false }],
    allow: [],
    listen: LISTEN_DEFAULT,
    discovery: true,
    metrics: undefined,
    once: false,
    versions: undefined,
  };
  const verify = {
    command: "verify",
    dir: "/work",
    with: undefined,
    timeoutMs: 10_000,
    discovery: true,
  };
  const cases: [string, unknown][] = [
    ["id", { command: "id", rotate: false }],
    ["id --rotate", { command: "id", rotate: true }],
    ["peers", { command: "peers list", discovery: true }],
    ["peers list --json --no-discovery", { command: "peers list", discovery: false }],
    [`peers trust ${DEVICE_ID}`, {
      command: "peers trust",
      deviceId: DEVICE_ID,
      name: undefined,
      address: undefined,
    }],
    [`peers trust ${DEVICE_ID} --name nas --address nas`, {
      command: "peers trust",
      deviceId: DEVICE_ID,
      name: "nas",
      address: NAS,
    }],
    ["peers remove nas", { command: "peers remove", peer: "nas" }],
    ["peers rename MFZ nas", { command: "peers rename", peer: "MFZ", name: "nas" }],
    ["serve /srv/", serve],
    ["serve --share a=/a:ro --share b=b --allow x --allow y --listen :0 --once --versions 2", {
      ...serve,
      shares: [
        { name: "a", dir: "/a", readOnly: true },
        { name: "b", dir: "/work/b", readOnly: false },
      ],
      allow: ["x", "y"],
      listen: { ...LISTEN_DEFAULT, port: 0 },
      once: true,
      versions: 2,
    }],
    ["serve /srv --no-discovery --metrics 127.0.0.1:0", {
      ...serve,
      discovery: false,
      metrics: { kind: "ipv4", host: "127.0.0.1", zone: undefined, port: 0 },
    }],
    ["discover", { command: "discover", timeoutMs: 3_000 }],
    ["discover --timeout 1m", { command: "discover", timeoutMs: 60_000 }],
    ["status", { command: "status", probe: undefined, timeoutMs: 10_000, discovery: true }],
    ["status nas --address nas", {
      command: "status",
      probe: { peer: "nas", address: NAS },
      timeoutMs: 10_000,
      discovery: true,
    }],
    ["doctor --timeout 2s --no-discovery", {
      command: "doctor",
      probe: undefined,
      timeoutMs: 2_000,
      discovery: false,
    }],
    ["doctor nas", {
      command: "doctor",
      probe: { peer: "nas", address: undefined },
      timeoutMs: 10_000,
      discovery: true,
    }],
    ["verify", verify],
    ["verify x/", { ...verify, dir: "/work/x" }],
    ["verify ..", { ...verify, dir: "/" }],
    ["verify nas --timeout 1s", {
      ...verify,
      with: { peer: "nas", share: undefined, address: undefined },
      timeoutMs: 1_000,
    }],
    ["verify nas:photos x --address nas --no-discovery", {
      ...verify,
      dir: "/work/x",
      with: { peer: "nas", share: "photos", address: NAS },
      discovery: false,
    }],
    ["bench nas --duration 500ms", {
      command: "bench",
      probe: { peer: "nas", address: undefined },
      durationMs: 500,
      timeoutMs: 10_000,
      discovery: true,
    }],
    ["completions fish", { command: "completions", shell: "fish" }],
  ];
  for (const [line, expected] of cases) assert.deepEqual(await build(line), expected, line);
});

Deno.test("commands refuse operands and flags that make no sense", async () => {
  const cases: [string, RegExp][] = [
    ["id now", /one argument too many: "now"/],
    ["peers trust", /missing argument DEVICE-ID/],
    ["peers trust nas", /bad value "nas" for DEVICE-ID: not a device id/],
    ["peers rename nas", /missing argument NAME/],
    ["peers rename nas a:b", /bad value "a:b" for NAME: not a peer name: it holds :/],
    ["serve", /nothing to serve/],
    ["serve . --share default=/x", /two shares have the name "default"/],
    ["serve --share /x", /bad value "\/x" for --share: expected NAME=DIR/],
    ["serve . --metrics :9100", /the host is missing/],
    ["serve . --listen 9876", /bad value "9876" for --listen/],
    ["status --address nas", /--address needs PEER/],
    ["bench", /missing argument PEER/],
    ["bench nas --duration 61s", /bad value "61s" for --duration: longer than a minute/],
    ["verify . --address nas", /--address needs PEER/],
    ["verify ./x /y", /that is a path, not a peer/],
    ["completions tcsh", /bad value "tcsh" for bash\|zsh\|fish: expected bash, zsh or fish/],
    ["pair --address nas", /--address is where a code or an invitation is tried/],
  ];
  for (const [line, message] of cases) {
    await assert.rejects(async () => await build(line), { name: "UsageError", message }, line);
  }
});

Deno.test("pairSpec shows a code unless it is given one", async () => {
  const shown = await build("pair --no-qr --timeout 1m --listen :0") as PairCommand;
  assert.equal(shown.secret, undefined);
  assert.equal(shown.qr, false);
  assert.equal(shown.timeoutMs, 60_000);
  assert.equal(shown.listen?.port, 0);
  assert.equal((await build("pair") as PairCommand).timeoutMs, 300_000);
});

Deno.test("pairSpec tells codes from invitations, wherever they come from", async () => {
  const secretOf = async (line: string, options = {}) => {
    const { secret } = await build(line, options) as PairCommand;
    if (secret === undefined) return undefined;
    return secret.kind === "code" ? secret.code.reveal() : secret.invitation.reveal();
  };
  assert.equal(await secretOf("pair 42-apple-river-stone"), "42-apple-river-stone");
  assert.equal(await secretOf("pair -", { stdin: "  LDR1:ABC  " }), "LDR1:ABC");
  const environment = { LANDROPIC_CODE: "1-a-b-c" };
  assert.equal(await secretOf("pair", { environment }), "1-a-b-c");
  assert.equal(await secretOf("pair 2-x-y-z", { environment }), "2-x-y-z");
  const invited = { environment: { LANDROPIC_INVITATION: "ldr1:abc" } };
  assert.equal((await build("pair", invited) as PairCommand).secret?.kind, "invitation");
});

Deno.test("pairSpec never repeats a secret in a message or a printed object", async () => {
  const command = await build("pair 42-apple-river-stone");
  for (const shown of [JSON.stringify(command), Deno.inspect(command, { depth: 9 })]) {
    assert.doesNotMatch(shown, /apple/);
  }
  const long = "LDR1:" + "A".repeat(5000);
  await assert.rejects(async () => await build(["pair", long]), (error: Error) => {
    assert.doesNotMatch(error.message, /AAAA/);
    return true;
  });
  await assert.rejects(async () => await build("pair -", { stdin: " " }), /no code/);
  const environment = { LANDROPIC_CODE: "1-a", LANDROPIC_INVITATION: "LDR1:A" };
  await assert.rejects(async () => await build("pair", { environment }), /both set/);
});

Deno.test("every flag has names that are unique in its command, opposites included", () => {
  for (const spec of COMMANDS) {
    const flags = [...spec.flags, ...GLOBAL_FLAGS];
    const names = flags.flatMap((flag) =>
      flag.kind === "switch" || flag.kind === "count"
        ? [flag.name, oppositeName(flag.name)]
        : [flag.name]
    );
    assert.equal(new Set(names).size, names.length, spec.name);
    const shorts = ["h", ...flags.flatMap((flag) => flag.short ?? [])];
    assert.equal(new Set(shorts).size, shorts.length, spec.name);
    for (const flag of flags) assert.match(environmentName(flag.name), /^LANDROPIC_[A-Z_]+$/);
  }
});

Deno.test("no flag shares a key of the config file with a command", () => {
  const flags = COMMANDS.flatMap((spec) => spec.flags.map((flag) => flag.name));
  const commands = new Set(COMMANDS.map((spec) => spec.name));
  assert.deepEqual(flags.filter((name) => commands.has(name)), []);
  // LANDROPIC_HOME, LANDROPIC_CODE and LANDROPIC_INVITATION mean something else.
  for (const name of ["home", "code", "invitation"]) assert.ok(!flags.includes(name), name);
});

Deno.test("verify takes the name of an existing folder for a folder, not for a peer", async () => {
  const cwd = Deno.makeTempDirSync();
  try {
    Deno.mkdirSync(`${cwd}/nas`);
    const alone = await build("verify nas", { cwd }) as VerifyCommand;
    assert.deepEqual([alone.dir, alone.with], [`${cwd}/nas`, undefined]);
    const other = await build("verify other", { cwd }) as VerifyCommand;
    assert.deepEqual([other.dir, other.with?.peer], [cwd, "other"]);
  } finally {
    Deno.removeSync(cwd, { recursive: true });
  }
});

Deno.test("discover says what has switched discovery off, and how to search all the same", async () => {
  const environment = { LANDROPIC_NO_DISCOVERY: "1" };
  const config = '{"no-discovery": true}';
  const cases: [string, object, RegExp][] = [
    ["discover --no-discovery", {}, /switched off by --no-discovery$/],
    ["discover", { environment }, /switched off by LANDROPIC_NO_DISCOVERY$/],
    ["discover", { config }, /switched off by "no-discovery" in config\.json$/],
  ];
  for (const [line, sources, message] of cases) {
    await assert.rejects(async () => await build(line, sources), {
      code: "usage",
      message,
      hint: /discover --discovery/,
    });
  }
  assert.deepEqual(await build("discover --discovery", { environment, config }), {
    command: "discover",
    timeoutMs: 3_000,
  });
});
