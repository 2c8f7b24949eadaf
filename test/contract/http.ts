import type { HttpCases } from "./http-bench.ts";
import { failureCases } from "./http-failures.ts";
import { responseCases } from "./http-responses.ts";
import { tlsCases } from "./http-tls.ts";
import { uploadCases } from "./http-uploads.ts";

/** The contract of the Http port, for every implementation of it. */
export const httpCases: HttpCases = { ...responseCases, ...uploadCases, ...failureCases, ...tlsCases };
