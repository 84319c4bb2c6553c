import assert from "node:assert/strict";

Deno.test("without the system's libraries, the runtime's own do their work", async () => {
  const main = new URL("./without_libraries_main.ts", import.meta.url);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", main.pathname],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  assert.equal(new TextDecoder().decode(stdout), "done\n");
});
