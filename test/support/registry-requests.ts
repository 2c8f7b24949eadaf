import type { Descriptor } from "../../src/oci/descriptor.ts";
import { describe, digestOf, makeManifest } from "../../src/oci/make.ts";
import type { ImageIndex, ImageManifest, Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { seededBytes } from "./graph.ts";

/** Requests to one repository of a registry, as plain as a test can read them. */
export interface RepositoryRequests {
  /** Sends a request for a path below the repository, as `tags/list`. */
  send(
    method: string,
    path: string,
    options?: { body?: Uint8Array; headers?: Record<string, string> },
  ): Promise<Response>;
  /** Uploads a blob in one request after the POST; fails the test unless the registry takes it. */
  pushBlob(bytes: Uint8Array, mediaType?: string, algorithm?: "sha256" | "sha512"): Promise<Descriptor>;
  putManifest(manifest: Manifest, reference: string, headers?: Record<string, string>): Promise<Response>;
  /** Pushes a manifest with a config and a layer that depend on the seed; under the tag, else by its digest. */
  pushImage(seed: number, extra?: Partial<ImageManifest> & { readonly tag?: string }): Promise<Manifest>;
  pushIndex(members: readonly Manifest[], extra?: Partial<ImageIndex> & { readonly tag?: string }): Promise<Manifest>;
}

/** The codes in an answer's errors list. */
export async function codes(response: Response): Promise<readonly string[]> {
  const body = (await response.json()) as { readonly errors: readonly { readonly code: string }[] };
  return body.errors.map(({ code }) => code);
}

/** Requests to the repository of that name at `url`. */
export function repositoryRequests(url: string, name: string): RepositoryRequests {
  const send: RepositoryRequests["send"] = (method, path, { body, headers } = {}) =>
    fetch(`${url}/v2/${name}/${path}`, {
      method,
      redirect: "manual",
      ...(body ? { body } : {}),
      ...(headers ? { headers } : {}),
    });

  const pushBlob: RepositoryRequests["pushBlob"] = async (bytes, mediaType = "application/octet-stream", algorithm) => {
    const descriptor = describe(bytes, mediaType, algorithm);
    const begun = await send("POST", "blobs/uploads/");
    const location = new URL(begun.headers.get("location") ?? "", url);
    location.searchParams.set("digest", descriptor.digest);
    const done = await fetch(location, { method: "PUT", body: bytes });
    if (done.status !== 201) throw new Error(`the blob was not taken: ${done.status} ${await done.text()}`);
    return descriptor;
  };

  const putManifest: RepositoryRequests["putManifest"] = (manifest, reference, headers = {}) =>
    send("PUT", `manifests/${reference}`, {
      body: manifest.bytes,
      headers: { "content-type": manifest.descriptor.mediaType, ...headers },
    });

  const pushed = async (manifest: Manifest, tag: string | undefined): Promise<Manifest> => {
    const response = await putManifest(manifest, tag ?? manifest.descriptor.digest);
    if (response.status !== 201) throw new Error(`the manifest was not taken: ${await response.text()}`);
    return manifest;
  };

  return {
    send,
    pushBlob,
    putManifest,
    pushImage: async (seed, { tag, ...extra } = {}) => {
      const config = await pushBlob(
        new TextEncoder().encode(
          JSON.stringify({
            os: "linux",
            architecture: "amd64",
            seed,
            rootfs: { type: "layers", diff_ids: [digestOf(seededBytes(500, seed))] },
          }),
        ),
        mediaTypes.ociConfig,
      );
      const layers = [await pushBlob(seededBytes(500, seed), mediaTypes.ociLayer)];
      return pushed(makeManifest({ schemaVersion: 2, config, layers, ...extra }), tag);
    },
    pushIndex: async (members, { tag, ...extra } = {}) => {
      const manifests = members.map(({ descriptor: { mediaType, digest, size } }) => ({ mediaType, digest, size }));
      return pushed(makeManifest({ schemaVersion: 2, manifests, ...extra }), tag);
    },
  };
}
