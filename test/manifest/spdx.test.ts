import { expect, test } from "bun:test";
import { readLicenseExpression } from "../../src/manifest/spdx.ts";

test.each<[text: string, deprecated: string[]]>([
  ["MIT", []],
  ["mit", []],
  ["Apache-2.0+", []],
  ["AGPL-3.0", ["AGPL-3.0"]],
  ["GPL-2.0+", ["GPL-2.0"]],
  ["LGPL-2.1-only OR MIT", []],
  ["(MIT AND ISC) OR (GPL-3.0-or-later WITH GCC-exception-3.1)", []],
  ["LicenseRef-Mine", []],
  ["DocumentRef-a.b:LicenseRef-c", []],
  ["GPL-2.0 AND LGPL-2.0", ["GPL-2.0", "LGPL-2.0"]],
])("readLicenseExpression() accepts %s", (text, deprecated) => {
  expect(readLicenseExpression(text)).toEqual({ deprecated });
});

test.each([
  [""],
  ["   "],
  ["MTI"],
  ["MIT ISC"],
  ["MIT AND"],
  ["AND MIT"],
  ["MIT and ISC"],
  ["(MIT"],
  ["MIT)"],
  ["()"],
  ["MIT WITH"],
  ["MIT WITH AND"],
  ["LicenseRef-"],
  ["MIT/ISC"],
  ["MIT, ISC"],
  ["MIT++"],
  ["__proto__"],
  ["(".repeat(10_000)],
])("readLicenseExpression() refuses %s", (text) => {
  expect(readLicenseExpression(text).problem).toBeString();
});
