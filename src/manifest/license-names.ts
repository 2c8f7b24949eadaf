import currentIdentifiers from "spdx-license-ids/index.json" with { type: "json" };

/** What people call licences, without case and punctuation, and the identifiers of the SPDX list that it may stand for. */
const commonNames: Readonly<Record<string, readonly string[]>> = {
  ...gnu("GPL", "gnugeneralpubliclicense", ["2.0", "3.0"]),
  ...gnu("LGPL", "gnulessergeneralpubliclicense", ["2.1", "3.0"]),
  ...gnu("AGPL", "gnuafferogeneralpubliclicense", ["3.0"]),
  bsd: ["BSD-2-Clause", "BSD-3-Clause"],
  bsdlicense: ["BSD-2-Clause", "BSD-3-Clause"],
  bsd2: ["BSD-2-Clause"],
  bsd3: ["BSD-3-Clause"],
  simplifiedbsd: ["BSD-2-Clause"],
  newbsd: ["BSD-3-Clause"],
  modifiedbsd: ["BSD-3-Clause"],
  apache: ["Apache-2.0"],
  apache2: ["Apache-2.0"],
  apachev2: ["Apache-2.0"],
  apachev20: ["Apache-2.0"],
  apachelicense: ["Apache-2.0"],
  apachelicense2: ["Apache-2.0"],
  apachelicense20: ["Apache-2.0"],
  apachelicenseversion20: ["Apache-2.0"],
  asl2: ["Apache-2.0"],
  asl20: ["Apache-2.0"],
  mitlicense: ["MIT"],
  themitlicense: ["MIT"],
  expat: ["MIT"],
  isclicense: ["ISC"],
  mpl: ["MPL-2.0"],
  mpl2: ["MPL-2.0"],
  mplv2: ["MPL-2.0"],
  mozilla: ["MPL-2.0"],
  epl: ["EPL-2.0"],
  epl2: ["EPL-2.0"],
  eupl: ["EUPL-1.2"],
  boost: ["BSL-1.0"],
  cc0: ["CC0-1.0"],
  ccby: ["CC-BY-4.0"],
  ccby4: ["CC-BY-4.0"],
  ccbysa: ["CC-BY-SA-4.0"],
  ccbysa4: ["CC-BY-SA-4.0"],
  ccbync: ["CC-BY-NC-4.0"],
  publicdomain: ["CC0-1.0", "Unlicense"],
  zlib: ["Zlib"],
  psf: ["PSF-2.0"],
  python: ["PSF-2.0"],
  cecill: ["CECILL-2.1"],
};

const byLetters = new Map<string, string[]>();
for (const identifier of currentIdentifiers) {
  const key = letters(identifier);
  byLetters.set(key, [...(byLetters.get(key) ?? []), identifier]);
}

/**
 * Identifiers that `text` stands for: by its common name, or by what differs in case and punctuation alone. Never by
 * likeness: a licence is a legal statement, and another one with a similar name says something else.
 */
export function meantLicenses(text: string): readonly string[] {
  const key = letters(text.slice(0, 128));
  return (Object.hasOwn(commonNames, key) ? commonNames[key] : byLetters.get(key)) ?? [];
}

function letters(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "")
    .replace("licence", "license");
}

/** Names of a GNU licence with and without its version; without one, the newest is what is meant. */
function gnu(name: string, long: string, versions: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const entries: [string, readonly string[]][] = [];
  for (const version of versions) {
    const identifiers = [`${name}-${version}-only`, `${name}-${version}-or-later`];
    const digits = version.replace(/\.0$/, "").replace(".", "");
    for (const word of [name.toLowerCase(), `gnu${name.toLowerCase()}`, long]) {
      for (const said of ["", digits, `v${digits}`, `version${digits}`, `v${version.replace(".", "")}`]) {
        entries.push([`${word}${said}`, identifiers]);
      }
    }
  }
  return Object.fromEntries(entries);
}
