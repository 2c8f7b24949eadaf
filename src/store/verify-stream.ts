import { IntegrityError } from "../core/error.ts";
import { startHash } from "../core/hashing.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { hashAlgorithm, splitDigest } from "../oci/digest.ts";

/**
 * Passes bytes on one chunk late, and errors with `size-mismatch` or `digest-mismatch` instead of passing the last one
 * where the whole is not what the descriptor says. Nothing beyond the descriptor's size is passed on.
 */
export function verifyStream(descriptor: Descriptor, name: string): TransformStream<Uint8Array, Uint8Array> {
  const hash = startHash(hashAlgorithm(descriptor.digest));
  let size = 0;
  let held: Uint8Array | undefined;
  return new TransformStream({
    transform(chunk, controller) {
      size += chunk.byteLength;
      if (size > descriptor.size) throw sizeMismatch(`more than ${descriptor.size}`);
      hash.update(chunk);
      if (held) controller.enqueue(held);
      held = chunk;
    },
    flush(controller) {
      if (size !== descriptor.size) throw sizeMismatch(`${size}`);
      const hex = hash.hex();
      const { algorithm, encoded } = splitDigest(descriptor.digest);
      if (hex !== encoded) {
        throw new IntegrityError(
          "digest-mismatch",
          `Cannot accept ${descriptor.digest} of ${name}: digest ${algorithm}:${hex}`,
        );
      }
      if (held) controller.enqueue(held);
    },
  });

  function sizeMismatch(found: string): IntegrityError {
    return new IntegrityError(
      "size-mismatch",
      `Cannot accept ${descriptor.digest} of ${name}: ${found} bytes, expected ${descriptor.size}`,
    );
  }
}
