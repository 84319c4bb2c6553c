/**
 * The tests of several files as one module: `deno test scripts/testing/group.ts -- FILE...`, each by its path
 * below the project's folder.
 *
 * `deno test` starts anew for each module that it is given, and loads again what nearly all of them need, which
 * takes longer than the tests of most files.
 */
for (const file of Deno.args) {
  try {
    await import(new URL(`../../${file}`, import.meta.url).href);
  } catch (error) {
    Deno.test(`${file} is loaded`, () => {
      throw error;
    });
  }
}
