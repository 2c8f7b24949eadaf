import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** A certificate with its key, both PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly name: string;
  readonly privateKey: KeyObject;
}

/** A new authority that signs with ECDSA P-256; valid from yesterday to tomorrow. */
export function makeAuthority(name: string): Certificate {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const basicConstraints = extension([2, 5, 29, 19], sequence(tlv(0x01, Buffer.from([0xff]))), true);
  return issue(name, keys, { name, privateKey: keys.privateKey }, [basicConstraints], 1);
}

/** A server's certificate for these DNS names and IPv4 addresses; `days` to its end, negative for an expired one. */
export function makeServerCertificate(
  authority: Certificate,
  names: { readonly dns?: readonly string[]; readonly ip?: readonly string[] },
  days = 1,
): Certificate {
  const alternatives = [
    ...(names.dns ?? []).map((name) => tlv(0x82, Buffer.from(name, "latin1"))),
    ...(names.ip ?? []).map((address) => tlv(0x87, Buffer.from(address.split(".").map(Number)))),
  ];
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return issue("server", keys, authority, [extension([2, 5, 29, 17], sequence(...alternatives))], days);
}

function issue(
  name: string,
  keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  issuer: Pick<Certificate, "name" | "privateKey">,
  extensions: readonly Buffer[],
  days: number,
): Certificate {
  const algorithm = sequence(oid([1, 2, 840, 10045, 4, 3, 2]));
  const day = 24 * 60 * 60 * 1000;
  const body = sequence(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(Date.now() + (Math.min(days, 0) - 1) * day), time(Date.now() + days * day)),
    distinguishedName(name),
    keys.publicKey.export({ type: "spki", format: "der" }),
    tlv(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", body, issuer.privateKey);
  const der = sequence(body, algorithm, tlv(0x03, Buffer.concat([Buffer.from([0]), signature])));
  return {
    name,
    privateKey: keys.privateKey,
    cert: pem("CERTIFICATE", der),
    key: String(keys.privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}

function distinguishedName(name: string): Buffer {
  return sequence(tlv(0x31, sequence(oid([2, 5, 4, 3]), tlv(0x0c, Buffer.from(name)))));
}

function extension(id: readonly number[], value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [tlv(0x01, Buffer.from([0xff]))] : []), tlv(0x04, value));
}

function time(milliseconds: number): Buffer {
  const text = new Date(milliseconds).toISOString().replace(/[-:T]/g, "").slice(2, 14);
  return tlv(0x17, Buffer.from(`${text}Z`));
}

function oid(parts: readonly number[]): Buffer {
  const [first = 0, second = 0, ...rest] = parts;
  const bytes = rest.flatMap((part) => {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return tlv(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(parts));
}

function tlv(tag: number, value: Buffer): Buffer {
  const size = value.byteLength;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), value]);
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
