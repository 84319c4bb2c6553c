import * as fs from "node:fs";
import { join } from "node:path";
import { type TestDevice, testDevice } from "./test_device.ts";
import { temporaryFolder } from "./tree.ts";

/** Two devices that know each other, each with an empty folder, in a folder that goes with the test. */
export interface TwoFolders {
  readonly folder: ReturnType<typeof temporaryFolder>;
  readonly a: TestDevice;
  readonly b: TestDevice;
  /** The folders of `a` and `b`. */
  readonly left: string;
  readonly right: string;
}

/** Makes {@linkcode TwoFolders}; whoever asks disposes of `folder`. */
export function twoFolders(): TwoFolders {
  const folder = temporaryFolder();
  const a = testDevice(join(folder.path, "home-a"), "A");
  const b = testDevice(join(folder.path, "home-b"), "B");
  const [left, right] = [join(folder.path, "left"), join(folder.path, "right")] as const;
  fs.mkdirSync(left);
  fs.mkdirSync(right);
  return { folder, a, b, left, right };
}
