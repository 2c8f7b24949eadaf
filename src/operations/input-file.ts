import { stat } from "node:fs/promises";
import { InvalidInputError } from "../core/error.ts";

/** The bytes of the file at `path`; throws `invalid-input` where there is none, or something else, which `name` names. */
export async function inputSize(path: string, name: string): Promise<number> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new InvalidInputError(`Cannot read ${name}: there is no such file`, { cause });
  });
  if (!found.isFile()) throw new InvalidInputError(`Cannot read ${name}: it is not a regular file`);
  return found.size;
}
