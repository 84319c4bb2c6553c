import assert from "node:assert/strict";
import { join } from "node:path";
import { createHome, findHome } from "../../src/cli/home.ts";

Deno.test("findHome() follows LANDROPIC_HOME, then XDG, then HOME", () => {
  const cases: [Record<string, string>, string, string][] = [
    [{ LANDROPIC_HOME: "/l", XDG_CONFIG_HOME: "/c", HOME: "/h" }, "/l", "/l"],
    [{ LANDROPIC_HOME: "rel/", HOME: "/h" }, "/work/rel", "/work/rel"],
    [{ XDG_CONFIG_HOME: "/c", XDG_STATE_HOME: "/s" }, "/c/landropic", "/s/landropic"],
    [{ XDG_CONFIG_HOME: "/c", HOME: "/h" }, "/c/landropic", "/h/.local/state/landropic"],
    [{ HOME: "/h" }, "/h/.config/landropic", "/h/.local/state/landropic"],
    [
      { XDG_CONFIG_HOME: "rel", XDG_STATE_HOME: "", LANDROPIC_HOME: "", HOME: "/h" },
      ...[
        "/h/.config/landropic",
        "/h/.local/state/landropic",
      ] as const,
    ],
  ];
  for (const [environment, configDir, stateDir] of cases) {
    assert.deepEqual(findHome(environment, "/work", false), { configDir, stateDir });
  }
});

Deno.test("findHome() uses the application data folders on Windows", () => {
  const environment = { APPDATA: "/roaming", LOCALAPPDATA: "/local", HOME: "/h" };
  assert.deepEqual(findHome(environment, "/work", true), {
    configDir: join("/roaming", "landropic"),
    stateDir: join("/local", "landropic"),
  });
});

Deno.test("findHome() says what to set where there is no home", () => {
  for (const environment of [{}, { HOME: "" }, { HOME: "relative" }, { XDG_CONFIG_HOME: "/c" }]) {
    assert.throws(() => findHome(environment, "/work", false), {
      code: "storage",
      hint: /LANDROPIC_HOME/,
    });
  }
});

async function inTempDir(act: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await act(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const modeOf = async (path: string) => ((await Deno.stat(path)).mode ?? 0) & 0o777;

Deno.test({
  name: "createHome() makes folders for this user alone, and closes empty ones",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inTempDir(async (dir) => {
      const paths = { configDir: join(dir, "a/b/c"), stateDir: join(dir, "s") };
      await Deno.mkdir(paths.stateDir, { mode: 0o755 });
      createHome(paths, false);
      createHome(paths, false);
      assert.equal(await modeOf(paths.configDir), 0o700);
      assert.equal(await modeOf(paths.stateDir), 0o700);
    }),
});

Deno.test({
  name: "createHome() leaves a readable folder with files alone, and refuses a writable one",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inTempDir(async (dir) => {
      await Deno.writeTextFile(join(dir, "file"), "");
      await Deno.chmod(dir, 0o755);
      createHome({ configDir: dir, stateDir: dir }, false);
      assert.equal(await modeOf(dir), 0o755);
      await Deno.chmod(dir, 0o775);
      assert.throws(() => createHome({ configDir: dir, stateDir: dir }, false), {
        code: "storage",
        message: /others may write/,
      });
    }),
});

Deno.test("createHome() refuses a path that is a file, or leads through one", () =>
  inTempDir(async (dir) => {
    const file = join(dir, "file");
    await Deno.writeTextFile(file, "");
    for (const path of [file, join(file, "below")]) {
      assert.throws(() => createHome({ configDir: path, stateDir: path }, false), {
        code: "storage",
      });
    }
  }));
