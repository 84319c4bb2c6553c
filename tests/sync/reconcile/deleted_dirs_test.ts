import assert from "node:assert/strict";
import { Device, lines, picture, sync, Users } from "./model.ts";

/** Three devices; `a` syncs with both others, which have not met yet. */
function mesh(...files: string[]) {
  const users = new Users();
  const [a, b, c] = [new Device("a"), new Device("b"), new Device("c")] as const;
  for (const path of files) {
    if (path.endsWith("/")) users.mkdir(a, path.slice(0, -1));
    else users.write(a, path);
  }
  sync(a, b);
  sync(a, c);
  return { users, a, b, c };
}

for (const from of ["c", "b"] as const) {
  Deno.test(`a directory deleted on one device does not come back from a third [${from} plans]`, () => {
    const { users, a, b, c } = mesh("keep", "d/", "d/x", "d/e/", "d/e/y");
    users.remove(a, "d");
    sync(a, b);
    assert.deepEqual(b.paths("dir"), []);
    const { plan, failed } = from === "c" ? sync(c, b) : sync(b, c);
    assert.deepEqual(failed, []);
    assert.ok(lines(plan).every((line) => line.startsWith("-")), lines(plan).join());
    assert.deepEqual(c.paths("file"), ["keep"]);
    assert.deepEqual(c.paths("dir"), []);
    assert.deepEqual(picture(c), picture(b));
  });

  Deno.test(`an edit in a directory deleted elsewhere wins on a third device [${from} plans]`, () => {
    const { users, a, b, c } = mesh("keep", "d/", "d/x", "d/e/", "d/e/y", "d/e/z");
    users.remove(a, "d");
    sync(a, b);
    users.write(c, "d/e/y");
    users.write(c, "d/new");
    const { failed } = from === "c" ? sync(c, b) : sync(b, c);
    assert.deepEqual(failed, []);
    assert.deepEqual(b.paths("file"), ["d/e/y", "d/new", "keep"]);
    assert.deepEqual(picture(c), picture(b));
    // And it comes back where it was deleted.
    sync(a, b);
    assert.deepEqual(picture(a), picture(b));
  });
}

Deno.test("a directory that was moved away does not stay behind on a third device", () => {
  const { users, a, b, c } = mesh("keep", "d/", "d/x", "d/e/", "d/e/y");
  users.move(a, "d", "moved");
  sync(a, b);
  sync(c, b);
  assert.deepEqual(c.paths("file"), ["keep", "moved/e/y", "moved/x"]);
  assert.deepEqual(picture(c), picture(b));
});

Deno.test("a directory made anew after its deletion keeps what is new in it", () => {
  const { users, a, b, c } = mesh("keep", "d/", "d/x");
  users.remove(a, "d");
  sync(a, b);
  users.mkdir(b, "d");
  users.write(b, "d/other");
  sync(b, c);
  assert.deepEqual(c.paths("file"), ["d/other", "keep"]);
  assert.deepEqual(picture(c), picture(b));
});
