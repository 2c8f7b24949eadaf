/** The last byte that an upload session holds, from `Range: 0-n`; undefined where the header is absent or malformed. */
export function parseUploadRange(header: string | null): number | undefined {
  const match = /^(?:bytes=)?0-([0-9]{1,16})$/.exec((header ?? "").trim());
  if (!match) return undefined;
  const last = Number(match[1]);
  return Number.isSafeInteger(last) ? last : undefined;
}

/** What part of a blob a 206 carries: RFC 9110, section 14.4; `total` is undefined where the server does not say. */
export interface ContentRange {
  readonly first: number;
  readonly last: number;
  readonly total: number | undefined;
}

/** A `Content-Range: bytes a-b/total`; undefined where it is absent, malformed or contradicts itself. */
export function parseContentRange(header: string | null): ContentRange | undefined {
  const match = /^bytes ([0-9]{1,16})-([0-9]{1,16})\/([0-9]{1,16}|\*)$/i.exec((header ?? "").trim());
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2]);
  const total = match[3] === "*" ? undefined : Number(match[3]);
  if (!Number.isSafeInteger(last) || first > last || (total !== undefined && last >= total)) return undefined;
  return { first, last, total };
}
