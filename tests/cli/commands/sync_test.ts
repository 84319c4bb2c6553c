import assert from "node:assert/strict";
import type { SyncCommand } from "../../../src/cli/commands/sync.ts";
import { DELETE_LIMIT_DEFAULT } from "../../../src/cli/values/delete_limit.ts";
import { build, type BuildOptions } from "../support.ts";

const DEFAULTS: SyncCommand = {
  command: "sync",
  target: { kind: "peer", peer: "nas", share: undefined },
  dir: "/work",
  direction: "both",
  address: undefined,
  deleteExtra: false,
  maxDelete: DELETE_LIMIT_DEFAULT,
  replaceAll: false,
  fillDisk: false,
  dryRun: false,
  itemize: false,
  filters: [],
  waitMs: 0,
  lockWaitMs: 0,
  checksum: false,
  versions: undefined,
  conflict: "keep-both",
  rateLimit: undefined,
  connections: undefined,
  compress: true,
  watch: false,
  retries: 5,
  timeoutMs: undefined,
  discovery: true,
};

Deno.test("syncSpec builds a command from each flag, with the documented defaults", async () => {
  const cases: [string, Partial<SyncCommand>][] = [
    ["sync nas", {}],
    ["sync nas .", {}],
    ["sync nas ./", {}],
    ["sync nas sub/dir///", { dir: "/work/sub/dir" }],
    ["sync nas /", { dir: "/" }],
    ["sync nas ../x/", { dir: "/x" }],
    ["sync nas -- -odd", { dir: "/work/-odd" }],
    ["sync nas:photos", { target: { kind: "peer", peer: "nas", share: "photos" } }],
    ["sync --all", { target: { kind: "all" } }],
    ["sync --all /data/", { target: { kind: "all" }, dir: "/data" }],
    ["sync nas --push", { direction: "push" }],
    ["sync nas --pull --delete", { direction: "pull", deleteExtra: true }],
    ["sync nas --max-delete 7", { maxDelete: { kind: "count", count: 7 } }],
    ["sync nas --max-delete=5%", {
      maxDelete: { kind: "percent", percent: 5, appliesAboveFiles: 0 },
    }],
    ["sync nas --replace-all", { replaceAll: true }],
    ["sync nas --fill-disk", { fillDisk: true }],
    ["sync nas -n", { dryRun: true, itemize: true }],
    ["sync nas -i", { itemize: true }],
    ["sync nas -nic", { dryRun: true, itemize: true, checksum: true }],
    ["sync nas --wait 5m --lock-wait 90s", { waitMs: 300_000, lockWaitMs: 90_000 }],
    ["sync nas --versions 3", { versions: 3 }],
    ["sync nas --versions 0", { versions: 0 }],
    ["sync nas --conflict newer", { conflict: "newer" }],
    ["sync nas --bwlimit 20M", { rateLimit: 20_000_000 }],
    ["sync nas --bwlimit 0", { rateLimit: undefined }],
    ["sync nas --connections 4 --no-compress", { connections: 4, compress: false }],
    ["sync nas --watch --retry 0 --timeout 1h", { watch: true, retries: 0, timeoutMs: 3_600_000 }],
    ["sync nas --address [fe80::1%eth0]:5", {
      address: { kind: "ipv6", host: "fe80::1", zone: "eth0", port: 5 },
    }],
    ["sync nas --address nas.local", {
      address: { kind: "name", host: "nas.local", zone: undefined, port: 9876 },
    }],
    ["sync nas --push --no-push", {}],
    ["sync nas --no-compress --compress", {}],
    ["sync nas --retry 1 --retry 2", { retries: 2 }],
    ["-v sync --json nas -q", {}],
  ];
  for (const [line, changes] of cases) {
    assert.deepEqual(await build(line), { ...DEFAULTS, ...changes }, line);
  }
});

Deno.test("syncSpec keeps rules of all kinds in the order they were typed", async () => {
  const command = await build(
    "sync nas --exclude *.tmp --include keep.tmp --exclude-from rules --exclude b --exclude-from -",
  ) as SyncCommand;
  assert.deepEqual(command.filters, [
    { kind: "exclude", glob: "*.tmp" },
    { kind: "include", glob: "keep.tmp" },
    { kind: "exclude-from", file: "/work/rules" },
    { kind: "exclude", glob: "b" },
    { kind: "exclude-from", file: "-" },
  ]);
});

Deno.test("syncSpec puts rules of lower sources before those of the command line", async () => {
  const command = await build("sync nas --include a", {
    environment: { LANDROPIC_EXCLUDE: "one\ntwo" },
    config: `{"exclude-from": "rules"}`,
  }) as SyncCommand;
  assert.deepEqual(command.filters, [
    { kind: "exclude-from", file: "/work/rules" },
    { kind: "exclude", glob: "one" },
    { kind: "exclude", glob: "two" },
    { kind: "include", glob: "a" },
  ]);
});

Deno.test("syncSpec refuses lines that contradict themselves", async () => {
  const cases: [string | string[], RegExp, BuildOptions?][] = [
    ["sync", /missing argument PEER/],
    ["sync nas a b", /one argument too many: "b"/],
    ["sync --all a b", /--all takes the place of PEER/],
    ["sync --all --address nas:1", /--address is the address of one peer/],
    ["sync --all --watch", /--watch stays with one peer/],
    ["sync nas --push --pull", /--push and --pull exclude each other/],
    ["sync nas --delete", /--delete needs --push or --pull/],
    ["sync nas --push --conflict newer", /--conflict is for a sync both ways/],
    ["sync nas -n --watch", /--watch and --dry-run exclude each other/],
    ["sync nas --connections 5", /bad value "5" for --connections: .*1 to 4/],
    ["sync nas --timeout 0", /bad value "0" for --timeout/],
    ["sync nas --max-delete 101%", /bad value "101%" for --max-delete/],
    [
      "sync nas --conflict never",
      /expected keep-both, newer, local or remote \(did you mean newer\?\)/,
    ],
    ["sync nas --include !x", /begins with !/],
    ["sync /srv/data", /bad value "\/srv\/data" for PEER\[:SHARE\]: that is a path/],
    [["sync", "nas", ""], /the folder is the empty text/],
    [["sync", ""], /bad value "" for PEER/],
    [["sync", "nas", "--exclude", ""], /the pattern is empty/],
    [["sync", "nas", "--exclude-from", ""], /--exclude-from is the empty text/],
    ["sync nas", /LANDROPIC_PUSH/, { environment: { LANDROPIC_PUSH: "perhaps" } }],
    ["sync nas", /--push and --pull exclude/, {
      environment: { LANDROPIC_PUSH: "1", LANDROPIC_PULL: "1" },
    }],
  ];
  for (const [line, message, options] of cases) {
    await assert.rejects(
      async () => await build(line, options),
      { name: "UsageError", message },
      String(line),
    );
  }
});

Deno.test("syncSpec ignores defaults from elsewhere that do not apply", async () => {
  const environment = { LANDROPIC_DELETE: "1", LANDROPIC_ADDRESS: "nas:1" };
  const config = `{"sync": {"conflict": "newer", "watch": true}}`;
  const both = await build("sync nas", { environment }) as SyncCommand;
  assert.equal(both.deleteExtra, false);
  const push = await build("sync nas --push -n", { environment, config }) as SyncCommand;
  assert.equal(push.deleteExtra, true);
  assert.equal(push.watch, false);
  const all = await build("sync --all", { environment }) as SyncCommand;
  assert.deepEqual(all.target, { kind: "all" });
});

Deno.test("syncSpec lets the command line choose the direction over the environment", async () => {
  const environment = { LANDROPIC_PUSH: "1" };
  const direction = async (line: string) =>
    (await build(line, { environment }) as SyncCommand).direction;
  assert.equal(await direction("sync nas"), "push");
  assert.equal(await direction("sync nas --pull"), "pull");
  assert.equal(await direction("sync nas --no-push"), "both");
});
