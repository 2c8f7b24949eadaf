import { expect, test } from "bun:test";
import { formatBytes, formatDuration } from "../../../src/cli/output/bytes.ts";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [1536, "1.5 KiB"],
  [1024 * 1024 - 1, "1.0 MiB"],
  [50 * 1024 * 1024, "50.0 MiB"],
  [1024 ** 3, "1.0 GiB"],
  [-1, "0 B"],
])("formatBytes(%d) is %j", (size, text) => {
  expect(formatBytes(size)).toBe(text);
});

test.each([
  [0, "0.0 s"],
  [440, "0.4 s"],
  [9949, "9.9 s"],
  [9960, "10 s"],
  [59_400, "59 s"],
  [185_000, "3 min 5 s"],
  [119_700, "2 min 0 s"],
  [3_599_000, "59 min 59 s"],
  [3_599_800, "1 h 0 min"],
  [7_810_000, "2 h 10 min"],
])("formatDuration(%d) is %j", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});
