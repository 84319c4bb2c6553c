import assert from "node:assert/strict";
import { Device, lines, picture, planFor, sync, Users } from "./model.ts";

function two() {
  return { users: new Users(), a: new Device("a"), b: new Device("b") };
}

Deno.test("Reconciler creates no name that is one name with another on a folding target", () => {
  const { users, a, b } = two();
  b.traits = { foldsCase: true };
  users.write(b, "A.txt");
  sync(a, b);
  users.write(a, "a.txt");
  users.write(a, "New");
  users.write(a, "new");
  const { plan } = sync(a, b);
  assert.deepEqual(plan.problems.map(({ code, path, side }) => [code, path, side]), [
    ["case_collision", "a.txt", "remote"],
    ["case_collision", "new", "remote"],
  ]);
  assert.deepEqual(b.paths("file"), ["A.txt", "New"]);
  assert.deepEqual(a.paths("file"), ["A.txt", "New", "a.txt", "new"], "and deletes none of them");
  assert.equal(planFor(a, b).plan.problems.length, 2, "until somebody renames them");
});

Deno.test("Reconciler respells a name on a folding target, with the edits beneath", () => {
  const { users, a, b } = two();
  b.traits = { foldsCase: true };
  users.mkdir(a, "Docs");
  users.write(a, "Docs/x");
  users.write(a, "File");
  sync(a, b);
  users.move(a, "Docs", "docs");
  users.write(a, "docs/x");
  users.move(a, "File", "file");
  const { plan, failed } = sync(a, b);
  assert.deepEqual(failed, []);
  assert.deepEqual(lines(plan), ["R>d Docs -> docs", "M>f docs/x", "R>f File -> file"]);
  assert.deepEqual(picture(a), picture(b));
  assert.deepEqual(lines(planFor(a, b).plan), []);
});

Deno.test("Reconciler lets each side keep its Unicode form of a name", () => {
  const { users, a, b } = two();
  const [nfc, nfd] = ["caf\u00e9", "cafe\u0301"];
  a.traits = { foldsUnicode: true };
  users.write(a, nfd);
  sync(a, b);
  assert.deepEqual(b.paths("file"), [nfd]);
  users.move(b, nfd, nfc);
  assert.deepEqual(lines(sync(a, b).plan), []);
  users.write(b, nfc);
  assert.deepEqual(lines(sync(a, b).plan), [`M<f ${nfd}`]);
  users.remove(a, nfd);
  assert.deepEqual(lines(sync(a, b).plan), [`->f ${nfc}`]);
});

Deno.test("Reconciler keeps names from Windows that it can't have, whole directories included", () => {
  const { users, a, b } = two();
  b.traits = { windowsNames: true };
  users.mkdir(a, "aux");
  users.write(a, "aux/x");
  users.write(a, "what?");
  users.write(a, "fine");
  const { plan } = sync(a, b);
  assert.deepEqual(lines(plan), ["!>f aux", "+>f fine", "!>f what?"]);
  assert.deepEqual(b.paths("file"), ["fine"]);
  assert.deepEqual(lines(planFor(b, a).plan), ["!<f aux", "!<f what?"], "nor deletes them there");
});

Deno.test("Reconciler sends no links to a side without them", () => {
  const { users, a, b } = two();
  b.traits = { losesLinks: true };
  users.link(a, "l", "x");
  const { plan } = sync(a, b);
  assert.deepEqual(plan.problems.map(({ code }) => code), ["links_unsupported"]);
  assert.ok(a.nodes.has("l"));
});

Deno.test("Reconciler keeps paths from a side that get too long", () => {
  const { users, a, b } = two();
  let dir = "";
  for (let depth = 0; depth < 16; depth++) {
    dir += (dir === "" ? "" : "/") + "n".repeat(254);
    users.mkdir(a, dir);
  }
  users.mkdir(a, `${dir}/${"n".repeat(20)}`);
  const { plan } = sync(a, b);
  assert.deepEqual(plan.problems.map(({ code }) => code), ["path_too_long"]);
  assert.equal(b.paths("dir").length, 16);
});
