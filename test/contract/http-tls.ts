import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { serve } from "../../src/runtime/serve.ts";
import { type Certificate, makeAuthority, makeServerCertificate } from "../support/certificate.ts";
import { answerWith } from "../support/raw-server.ts";
import { contentOf, type HttpBench, type HttpCases, rejectsWith, send } from "./http-bench.ts";

/** Whom to trust. */
export const tlsCases: HttpCases = {
  "send() refuses a certificate of an unknown authority and names both ways out": async (bench) => {
    const { url } = await secureServer(bench);
    const error = await rejectsWith(send(bench.client(), url), "insecure-refused");
    assert.ok(error.hint?.includes("--ca-file"), error.message);
    assert.ok(error.hint?.includes(`--insecure-registry ${new URL(url).host}`), error.message);
  },
  "send() trusts the authority of a CA file": async (bench) => {
    const { url, caFile } = await secureServer(bench);
    const response = await send(bench.client({ caFiles: [caFile] }), url);
    assert.equal(Buffer.from(await response.body.bytes(10)).toString(), "secure");
  },
  "send() trusts the authority of SSL_CERT_FILE and of SSL_CERT_DIR": async (bench) => {
    const { url, caFile } = await secureServer(bench);
    for (const env of [{ SSL_CERT_FILE: caFile }, { SSL_CERT_DIR: `/nowhere:${bench.folder}` }]) {
      assert.equal((await send(bench.client({}, env), url)).status, 200);
    }
  },
  "send() refuses a certificate for another name": async (bench) => {
    const { url, caFile } = await secureServer(bench, { dns: ["registry.example.org"] });
    await rejectsWith(send(bench.client({ caFiles: [caFile] }), url), "insecure-refused");
  },
  "send() refuses a certificate that has expired": async (bench) => {
    const { url, caFile } = await secureServer(bench, { ip: ["127.0.0.1"] }, -1);
    await rejectsWith(send(bench.client({ caFiles: [caFile] }), url), "insecure-refused");
  },
  "send() checks nothing for an insecure registry, and for no other": async (bench) => {
    const one = await secureServer(bench);
    const other = await secureServer(bench);
    const http = bench.client({ insecureRegistries: [new URL(one.url).host] });
    assert.equal((await send(http, one.url)).status, 200);
    await rejectsWith(send(http, other.url), "insecure-refused");
  },
  "send() fails with invalid-configuration where a CA file cannot be used": async (bench) => {
    const { url } = await secureServer(bench);
    const empty = join(bench.folder, "empty.pem");
    writeFileSync(empty, "no certificate");
    await rejectsWith(send(bench.client({ caFiles: [empty] }), url), "invalid-configuration");
    await rejectsWith(send(bench.client({ caFiles: [join(bench.folder, "absent")] }), url), "invalid-configuration");
  },
  "send() fails with network-error and a hint where plain http answers": async (bench) => {
    const plain = await serve({ hostname: "127.0.0.1", port: 0, handler: async () => ({ status: 200, headers: {} }) });
    try {
      const error = await rejectsWith(send(bench.client(), plain.url.replace("http:", "https:")), "network-error");
      assert.ok(error.hint?.includes("--plain-http"), error.message);
    } finally {
      await plain.stop(0);
    }
  },
  "send() sends a file over TLS": async (bench) => {
    const size = 3_000_000;
    const { certificate, caFile } = authority(bench);
    const got = Promise.withResolvers<number>();
    const { url } = await bench.server((socket, _head, start) => {
      let received = start.byteLength;
      socket.on("data", (chunk: Buffer) => {
        received += chunk.byteLength;
        if (received !== size) return;
        got.resolve(received);
        answerWith(socket, "201 Created", [], "");
      });
    }, certificate);
    const path = join(bench.folder, "upload");
    writeFileSync(path, Buffer.alloc(size, 7));
    const content = { ...contentOf(() => [], size), file: path };
    const response = await send(bench.client({ caFiles: [caFile] }), url, { method: "PUT", body: { content } });
    assert.equal(response.status, 201);
    assert.equal(await got.promise, size);
  },
};

function authority(
  bench: HttpBench,
  names: Parameters<typeof makeServerCertificate>[1] = { ip: ["127.0.0.1"] },
  days = 1,
): { readonly certificate: Certificate; readonly caFile: string } {
  const signer = makeAuthority("test authority");
  const caFile = join(bench.folder, "authority.pem");
  writeFileSync(caFile, `# An authority\n${signer.cert}`);
  return { certificate: makeServerCertificate(signer, names, days), caFile };
}

async function secureServer(
  bench: HttpBench,
  ...rest: [names?: Parameters<typeof makeServerCertificate>[1], days?: number]
) {
  const { certificate, caFile } = authority(bench, ...rest);
  const { url } = await bench.server((socket) => answerWith(socket, "200 OK", [], "secure"), certificate);
  return { url, caFile };
}
