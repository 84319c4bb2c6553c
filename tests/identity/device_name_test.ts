import assert from "node:assert/strict";
import { join } from "node:path";
import {
  DEVICE_NAME_FILE,
  loadDeviceName,
  storeDeviceName,
} from "../../src/identity/device_name.ts";
import { IdentityError } from "../../src/identity/identity_error.ts";
import { modeOf, tempFolder } from "./folder_fixture.ts";

Deno.test("loadDeviceName() takes the hostname's first label once and keeps it", async () => {
  await using temp = await tempFolder();
  const folder = join(temp.path, "home");
  assert.equal(await loadDeviceName({ folder, hostname: "attic.example.net" }), "attic");
  assert.equal(await loadDeviceName({ folder, hostname: "cellar" }), "attic");
  if (Deno.build.os !== "windows") {
    assert.equal(await modeOf(join(folder, DEVICE_NAME_FILE)), 0o600);
  }
});

Deno.test("loadDeviceName() finds a printable name for every hostname", async () => {
  for (
    const [hostname, name] of [
      ["", "device"],
      [".local", "device"],
      ["\u202e\u0007", "device"],
      ["a:b/c\\d", "a-b-c-d"],
      ["-x", "x"],
      ["n".repeat(100), "n".repeat(64)],
    ] as const
  ) {
    await using temp = await tempFolder();
    assert.equal(await loadDeviceName({ folder: temp.path, hostname }), name);
  }
});

Deno.test("loadDeviceName() asks the system by default", async () => {
  await using temp = await tempFolder();
  assert.match(await loadDeviceName({ folder: temp.path }), /^.{1,64}$/u);
});

Deno.test("storeDeviceName() keeps other fields of the file", async () => {
  await using temp = await tempFolder();
  const folder = temp.path;
  const path = join(folder, DEVICE_NAME_FILE);
  await Deno.writeTextFile(path, '{"other": [1], "name": "old"}', { mode: 0o600 });
  assert.equal(await storeDeviceName({ folder }, " Küche "), "Küche");
  assert.equal(await loadDeviceName({ folder, hostname: "h" }), "Küche");
  assert.deepEqual(JSON.parse(await Deno.readTextFile(path)), { other: [1], name: "Küche" });
});

Deno.test("storeDeviceName() refuses a name that would have to be changed", async () => {
  await using temp = await tempFolder();
  for (const name of ["", " ", "a:b", "a\u0000", "-x", "x".repeat(65)]) {
    await assert.rejects(
      storeDeviceName({ folder: temp.path }, name),
      (error) => error instanceof IdentityError && error.reason === "name_invalid",
    );
  }
});

Deno.test("loadDeviceName() cleans a name edited by hand and refuses a broken file", async () => {
  await using temp = await tempFolder();
  const folder = temp.path;
  const path = join(folder, DEVICE_NAME_FILE);
  await Deno.writeTextFile(path, '{"name": "a\\u202eb:c"}', { mode: 0o600 });
  assert.equal(await loadDeviceName({ folder, hostname: "h" }), "ab-c");
  await Deno.writeTextFile(path, '{"name": 7}', { mode: 0o600 });
  assert.equal(await loadDeviceName({ folder, hostname: "h" }), "h");
  for (const text of ["", "{", "[]", "null", '"x"']) {
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    await assert.rejects(
      loadDeviceName({ folder, hostname: "h" }),
      (error) => error instanceof IdentityError && error.reason === "device_name_broken",
    );
    assert.equal(await Deno.readTextFile(path), text);
  }
});
