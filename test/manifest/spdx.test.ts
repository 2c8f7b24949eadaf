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

const gpl3 = 'Write "GPL-3.0-only" or "GPL-3.0-or-later"';

test.each([
  ...["GPL", "GPLv3", "GPL3", "GPL v3", "GNU GPL v3", "gpl-3"].map((text) => [text, gpl3] as const),
  ["GPLv2", 'Write "GPL-2.0-only" or "GPL-2.0-or-later"'],
  ["LGPLv2.1", 'Write "LGPL-2.1-only" or "LGPL-2.1-or-later"'],
  ["AGPL", 'Write "AGPL-3.0-only" or "AGPL-3.0-or-later"'],
  ["BSD", 'Write "BSD-2-Clause" or "BSD-3-Clause"'],
  ["BSD-3", 'Write "BSD-3-Clause"'],
  ["BSD 3 Clause", 'Write "BSD-3-Clause"'],
  ["Apache", 'Write "Apache-2.0"'],
  ["Apache 2.0", 'Write "Apache-2.0"'],
  ["Apache License, Version 2.0", 'Write "Apache-2.0"'],
  ["Apache2.0", 'Write "Apache-2.0"'],
  ["MIT Licence", 'Write "MIT"'],
  ["CC-BY", 'Write "CC-BY-4.0"'],
  ["MIT OR GPLv3", gpl3],
])("readLicenseExpression() says what %s may stand for", (text, hint) => {
  expect(readLicenseExpression(text)).toMatchObject({ problem: expect.any(String), hint });
});

test.each(["MTI", "GPL-3.1", "Apache-2.1", "AFL", "Proprietary", "BSD-9"])(
  "readLicenseExpression() proposes no other licence for %s",
  (text) => {
    expect(readLicenseExpression(text).hint).toBe("Take an identifier of spdx.org/licenses, or LicenseRef-NAME");
  },
);
