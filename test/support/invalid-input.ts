import { InvalidInputError } from "../../src/core/error.ts";

/** The InvalidInputError that `body` throws; fails where it throws nothing or something else. */
export async function invalidInput(body: () => unknown): Promise<InvalidInputError> {
  try {
    await body();
  } catch (error) {
    if (error instanceof InvalidInputError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
