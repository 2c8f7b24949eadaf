/** One check that guards trust or integrity, and what to put in its place to switch it off. */
export interface Mutant {
  /** What is switched off; also the name to run it by. */
  readonly name: string;
  readonly file: string;
  /** Text that is in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Test files of which at least one test must fail. */
  readonly tests: readonly string[];
  /** Narrows them to the tests whose names match, as `bun test -t` does. */
  readonly only?: string;
}

const store = "test/store/store.test.ts";
const contract = "test/store/contract.test.ts";
const layout = "test/store/layout.test.ts";
const tars = "test/store/tar-table.test.ts";
const auth = "test/registry/auth.test.ts";
const claims = "test/registry/claimed-digests.test.ts";
const redirect = "test/registry/redirect.test.ts";

/** In the place of a condition: it never holds. */
const off = "if (false)";

/** A condition on which the reader of tars refuses, switched off. */
function tarRefusal(name: string, find: string, file = "src/store/tar-table.ts"): Mutant {
  return { name: `tar: ${name}`, file, find, replace: off, tests: [tars, "test/store/tar-header.test.ts"] };
}

/** A condition on which the token server's address is refused, switched off. */
function realmRefusal(name: string, find: string): Mutant {
  return { name: `realm: ${name}`, file: "src/registry/token.ts", find, replace: off, tests: [auth] };
}

/** Every check that has to be held by a test. */
export const mutants: readonly Mutant[] = [
  {
    name: "store: size of what is interpreted",
    file: "src/store/store.ts",
    find: "if (bytes.byteLength !== descriptor.size)",
    replace: off,
    tests: [store],
  },
  {
    name: "store: digest of what is interpreted",
    file: "src/store/store.ts",
    find: "if (hex !== encoded)",
    replace: off,
    tests: [store],
  },
  {
    name: "store: manifests are checked",
    file: "src/store/store.ts",
    find: "check(bytes, descriptor, label);",
    replace: "",
    tests: [store],
  },
  {
    name: "store: bytes are checked",
    file: "src/store/store.ts",
    find: "check(bytes, descriptor, this.name);",
    replace: "",
    tests: [store],
  },
  {
    name: "store: streams are checked",
    file: "src/store/store.ts",
    find: ".pipeThrough(verifyStream(node.descriptor, this.name))",
    replace: "",
    tests: [store, "test/operations/blob.test.ts"],
    only: "Store|no wrong byte",
  },
  {
    name: "verified stream: too long",
    file: "src/store/verify-stream.ts",
    find: "if (size > descriptor.size)",
    replace: off,
    tests: [store],
  },
  {
    name: "verified stream: too short",
    file: "src/store/verify-stream.ts",
    find: "if (size !== descriptor.size)",
    replace: off,
    tests: [store],
  },
  {
    name: "verified stream: digest",
    file: "src/store/verify-stream.ts",
    find: "if (hex !== encoded)",
    replace: off,
    tests: [store],
  },
  {
    name: "verified stream: the last chunk waits for the check",
    file: "src/store/verify-stream.ts",
    find: "if (held) controller.enqueue(held);\n      held = chunk;",
    replace: "controller.enqueue(chunk);",
    tests: [store],
  },
  {
    name: "places: digest of what is written",
    file: "src/store/pump.ts",
    find: "if (hex === encoded) return;",
    replace: "if (hex !== '') return;",
    tests: ["test/store/pump.test.ts"],
  },
  {
    name: "places: more bytes than the descriptor's",
    file: "src/store/pump.ts",
    find: "if (received > descriptor.size)",
    replace: off,
    tests: ["test/store/pump.test.ts"],
  },
  {
    name: "places: fewer bytes than the descriptor's",
    file: "src/store/pump.ts",
    find: "if (received !== descriptor.size)",
    replace: off,
    tests: ["test/store/pump.test.ts"],
  },
  {
    name: "layout: digest of a file that was taken over",
    file: "src/store/staging.ts",
    find: 'checkHex(descriptor, await namingFile("read", path, async () => hex));',
    replace: "await hex;",
    tests: [layout, "test/store/staging.test.ts"],
  },
  {
    name: "layout: size of a file that was taken over",
    file: "src/store/staging.ts",
    find: "if (size !== descriptor.size)",
    replace: off,
    tests: [layout, "test/store/staging.test.ts"],
  },
  {
    name: "layout: manifests that are there are checked before they count",
    file: "src/store/layout-writing.ts",
    find: "check(bytes, descriptor, ",
    replace: "(() => {})(",
    tests: [layout],
  },
  {
    name: "layout: a symbolic link as a file",
    file: "src/store/folder-files.ts",
    find: "if (!found.isFile())",
    replace: off,
    tests: [layout],
  },
  {
    name: "layout: a symbolic link as a folder",
    file: "src/store/folder-files.ts",
    find: "if (found && !found.isDirectory())",
    replace: off,
    tests: [layout],
  },
  {
    name: "archive: digest of what is written",
    file: "src/store/archive-target.ts",
    find: "await pump(open, node.descriptor, (chunk) => this.#file.write(chunk), this.#io);",
    replace: "for await (const chunk of await (await open()).stream()) await this.#file.write(chunk);",
    tests: [contract],
    only: "archive image.tar as a target refuses other bytes of 1000",
  },
  tarRefusal("links", "if (reader.link)"),
  tarRefusal("two files of one path", "if (this.#files.has(path) || this.#folders.has(path))"),
  tarRefusal("a folder in a file's place", "if (this.#files.has(path))"),
  tarRefusal(
    "paths that leave the archive",
    'if (path.split("/").some((part) => part === "" || part === "." || part === ".."))',
  ),
  tarRefusal(
    "control characters and drives in paths",
    "if (/[\\u0000-\\u001f\\u007f\\\\]/.test(path) || /^[A-Za-z]:/.test(path))",
  ),
  tarRefusal("wrong checksums", "if (sum !== said)", "src/tar/fields.ts"),
  tarRefusal(
    "a pax path that contradicts its header",
    "if (path !== header.name && new TextEncoder().encode(path).byteLength <= maxNameBytes && isAscii(path))",
  ),
  tarRefusal("a pax size that contradicts its header", "if (bytes !== header.size && bytes <= maxOctalSize)"),
  tarRefusal("bytes behind the end", "if (rest === undefined || !isZero(rest))"),
  {
    name: "decompression: size",
    file: "src/tar/codec.ts",
    find: "if (size > options.maxBytes)",
    replace: off,
    tests: ["test/store/decompress.test.ts"],
  },
  {
    name: "decompression: ratio",
    file: "src/store/decompress.ts",
    find: "if (size + bytes.byteLength > Math.max(freeBytes, taken * maxRatio))",
    replace: off,
    tests: ["test/store/decompress.test.ts"],
  },
  {
    name: "JSON: two values of one name",
    file: "src/core/json.ts",
    find: "if (Object.hasOwn(object, key))",
    replace: off,
    tests: ["test/core/json.test.ts"],
  },
  {
    name: "JSON: size",
    file: "src/core/json.ts",
    find: "if (bytes.byteLength > maxBytes)",
    replace: off,
    tests: ["test/core/json.test.ts"],
  },
  {
    name: "manifest: both a manifest and an index",
    file: "src/oci/manifest.ts",
    find: "if (hasList && hasImage)",
    replace: off,
    tests: ["test/oci/manifest.test.ts"],
  },
  {
    name: "manifest: shape of its type",
    file: "src/oci/manifest.ts",
    find: "if (hasList !== isIndexType(mediaType))",
    replace: off,
    tests: ["test/oci/manifest.test.ts"],
  },
  {
    name: "manifest: type that it says itself",
    file: "src/oci/manifest.ts",
    find: "if (json.mediaType !== undefined && json.mediaType !== mediaType)",
    replace: off,
    tests: ["test/oci/manifest.test.ts"],
  },
  {
    name: "manifest: names that differ by case",
    file: "src/oci/manifest.ts",
    find: "if (known !== undefined && known !== key)",
    replace: off,
    tests: ["test/oci/manifest.test.ts"],
  },
  {
    name: "redirect: credentials stay with their host",
    file: "src/registry/redirect.ts",
    find: "delete headers.authorization;",
    replace: "",
    tests: [redirect],
  },
  {
    name: "redirect: another host's challenge is not answered",
    file: "src/registry/redirect.ts",
    find: "foreign = true;",
    replace: "",
    tests: [redirect, auth],
  },
  {
    name: "redirect: no plain http after https",
    file: "src/registry/redirect.ts",
    find: 'if (from.protocol === "https:" && url.protocol === "http:") {',
    replace: 'if (from.protocol === "") {',
    tests: [redirect],
  },
  {
    name: "redirect: no link-local address",
    file: "src/registry/redirect.ts",
    find: 'if (isLinkLocal(url.hostname) && !isPrivate(from.hostname)) throw refused(purpose, shown, "a link-local address");',
    replace: "",
    tests: [redirect],
  },
  {
    name: "redirect: no address of this machine",
    file: "src/registry/redirect.ts",
    find: "if (isThisMachine(url.hostname) && !isPrivate(from.hostname))\n    throw",
    replace: "if (url.hostname === '') throw",
    tests: [redirect],
  },
  realmRefusal("user names in it", 'if (realm.username !== "" || realm.password !== "")'),
  realmRefusal("link-local addresses", "if (isLinkLocal(realm.hostname) && !isPrivate(registryUrl.hostname))"),
  {
    ...realmRefusal("plain http", 'if (realm.protocol === "http:" && !plainAllowed) {'),
    replace: 'if (realm.protocol === "") {',
  },
  {
    ...realmRefusal("an identity token for another domain", 'if (credential.kind === "identity-token") {\n      throw'),
    replace: 'if (credential.kind === "registry-token") {\n      throw',
  },
  {
    name: "upload: digest that the registry says to have",
    file: "src/registry/upload-session.ts",
    find: "checkContentDigest(response.headers, blob.digest, purpose);",
    replace: "",
    tests: [claims],
  },
  {
    name: "upload: digest that the registry says to have mounted",
    file: "src/registry/upload-session.ts",
    find: "checkContentDigest(response.headers, digest, purpose);",
    replace: "",
    tests: [claims],
  },
  {
    name: "push: digest that the registry says a manifest has",
    file: "src/registry/manifests.ts",
    find: "checkContentDigest(response.headers, descriptor.digest, purpose);",
    replace: "",
    tests: [claims],
  },
  {
    name: "pull: digest that the registry says a tag's manifest has",
    file: "src/registry/manifests.ts",
    find: "if (!isDigest(reference)) check(bytes, descriptor, client.label(reference));",
    replace: "",
    tests: [claims],
  },
  {
    name: "push: manifests are checked before they are sent",
    file: "src/registry/writing.ts",
    find: "check(bytes, descriptor, name);",
    replace: "",
    tests: ["test/registry/contract.test.ts"],
    only: "a manifest of wrong bytes",
  },
  {
    name: "referrers: only 404, 405 and 501 say that there is no API",
    file: "src/registry/referrers.ts",
    find: "if (status !== 404 && status !== 405 && status !== 501) throw error;",
    replace: "",
    tests: ["test/registry/listings.test.ts"],
  },
  {
    name: "referrers: only 404 says that there is no fallback tag",
    file: "src/registry/manifests.ts",
    find: "? [404, 400] : [404];",
    replace: "? [404, 400] : [404, 400, 403];",
    tests: ["test/registry/listings.test.ts"],
  },
  {
    name: "referrers: a fallback tag that is no list is not replaced",
    file: "src/registry/referrers-tag.ts",
    find: "if (value !== undefined && isIndex(value)) return value;",
    replace: "if (value === undefined || isIndex(value)) return value;",
    tests: ["test/registry/listings.test.ts"],
  },
  {
    name: "referrers: what names another subject is left out",
    file: "src/store/walk.ts",
    find: "if (manifest.value.subject?.digest === subject.descriptor.digest) manifests.push(manifest);",
    replace: "if (manifest.value.schemaVersion === 2) manifests.push(manifest);",
    tests: ["test/store/walk.test.ts"],
  },
  {
    name: "server: digest of a manifest",
    file: "src/server/manifests.ts",
    find: "if (isDigest(reference) && digest !== reference)",
    replace: off,
    tests: ["test/server/manifests.test.ts"],
  },
  {
    name: "server: children of a manifest",
    file: "src/server/manifests.ts",
    find: "refuseMissing(manifest, repository);",
    replace: "",
    tests: ["test/server/manifests.test.ts"],
  },
  {
    name: "server: size of a manifest's children",
    file: "src/server/manifests.ts",
    find: "if (blob?.size === descriptor.size) continue;",
    replace: "if (blob) continue;",
    tests: ["test/server/manifests.test.ts"],
  },
  {
    name: "server: digest of a blob that is there already",
    file: "src/server/repository.ts",
    find: 'if (outcome === "present") await this.#verify(digest, content, io);',
    replace: "",
    tests: ["test/server/blob-uploads.test.ts", "test/server/blobs.test.ts"],
  },
  {
    name: "server: digest of a blob",
    file: "src/store/pump.ts",
    find: "if (hex === encoded) return;",
    replace: "if (hex !== '') return;",
    tests: ["test/server/blob-uploads.test.ts"],
  },
  {
    name: "tag moved: memory",
    file: "src/store/memory.ts",
    find: "if (is !== expect)",
    replace: off,
    tests: [contract],
    only: "expect",
  },
  {
    name: "tag moved: layout",
    file: "src/store/layout-entries.ts",
    find: "if (is !== expect)",
    replace: off,
    tests: [contract, layout],
    only: "expect",
  },
  {
    name: "tag moved: layout, under the lock",
    file: "src/store/layout-writing.ts",
    find: "checkExpectations(index, entries, this.#place.reader.name);\n        await",
    replace: "await",
    tests: ["test/operations/tag.test.ts"],
    only: "another writer",
  },
  {
    name: "tag moved: registry",
    file: "src/registry/writing.ts",
    find: 'if (found === (expect === "absent" ? undefined : expect)) return;',
    replace: "if (found !== '') return;",
    tests: ["test/registry/contract.test.ts"],
    only: "expect",
  },
  {
    name: "tag moved: the verb says what it saw",
    file: "src/operations/tag.ts",
    find: '...(input.force ? {} : { expect: "absent" as const })',
    replace: "",
    tests: ["test/operations/tag.test.ts"],
    only: "another writer",
  },
  {
    name: "tag moved: server",
    file: "src/server/manifests.ts",
    find: "byDigest ? undefined : expected(request.headers)",
    replace: "undefined",
    tests: ["test/server/manifests.test.ts"],
  },
];
