import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates, rootCertificates } from "node:tls";
import { LibraryError } from "../core/error.ts";

/**
 * The certificates that TLS trusts, each once: the system's, those of `SSL_CERT_FILE`, `SSL_CERT_DIR` and
 * `NODE_EXTRA_CA_CERTS`, and those of `caFiles`. Where neither system nor variables give one, those that the runtime
 * brings. Variables may name what is not there, as for OpenSSL; a file of `caFiles` must hold a certificate
 * (`invalid-configuration`). Neither runtime does all of this by itself: Deno ignores the variables, Bun the system.
 */
export async function trustedRoots(
  env: Readonly<Record<string, string | undefined>>,
  caFiles: readonly string[],
): Promise<readonly string[]> {
  const roots = new Set<string>();
  for (const text of getCACertificates("system")) add(text);
  for (const file of [env.SSL_CERT_FILE, env.NODE_EXTRA_CA_CERTS]) {
    if (file) add(await readIfThere(file));
  }
  for (const folder of (env.SSL_CERT_DIR ?? "").split(":")) {
    if (folder) for (const text of await readFolder(folder)) add(text);
  }
  if (roots.size === 0) for (const text of rootCertificates) add(text);
  for (const file of caFiles) {
    if (add(await readCaFile(file)) === 0) throw unusable(file, "no certificate in it");
  }
  return [...roots];

  function add(text: string): number {
    const found = certificatesIn(text);
    for (const certificate of found) roots.add(certificate);
    return found.length;
  }
}

/** The PEM blocks of `text` in one form, so that equal certificates are equal strings. */
function certificatesIn(text: string): string[] {
  return [...text.matchAll(/-----BEGIN CERTIFICATE-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----/g)].map(
    ([, base64 = ""]) => {
      const lines = base64.replace(/\s+/g, "").match(/.{1,64}/g) ?? [];
      return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
    },
  );
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch {
    // Absent or not for us: certificates it would add are simply not trusted
    return "";
  }
}

async function readFolder(folder: string): Promise<readonly string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch {
    return [];
  }
  return Promise.all(names.map((name) => readIfThere(join(folder, name))));
}

async function readCaFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw unusable(file, "it cannot be read", cause);
  }
}

function unusable(file: string, state: string, cause?: unknown): LibraryError {
  return new LibraryError("invalid-configuration", `Cannot use CA file ${file}: ${state}`, {
    cause,
    hint: "Give --ca-file a PEM file that holds the certificate of the authority",
  });
}
