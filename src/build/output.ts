import { isAbsolute, relative, resolve } from "node:path";
import { InvalidInputError } from "../core/error.ts";

/** What `build.output` asks for besides the layout, which is always made. */
export type SecondOutput =
  /** Nothing: the layout is what is meant. */
  | { readonly kind: "none" }
  /** Into the image store of a Docker engine. */
  | { readonly kind: "docker"; readonly output: string }
  | { readonly kind: "other"; readonly output: string };

/**
 * The second export that an output of the manifest stands for, its paths absolute; relative ones count from the
 * manifest's folder and stay below it. Throws `invalid-manifest-file`.
 */
export function secondOutput(output: string, directory: string): SecondOutput {
  const fields = csvFields(output);
  // buildx: a value without `type=` is a folder, `-` is standard output
  const named =
    fields.length === 1 && fields[0] && !fields[0].includes("=") ? ["type=local", `dest=${fields[0]}`] : fields;
  const values = named.map((field) => {
    const equals = field.indexOf("=");
    if (equals <= 0) throw invalid(output, `${JSON.stringify(field)} is not KEY=VALUE`);
    return [field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1)] as const;
  });
  const type = values.find(([key]) => key === "type")?.[1];
  const destination = values.find(([key]) => key === "dest")?.[1];
  if (type === undefined) throw invalid(output, "no type");
  if (type === "cacheonly" || (type === "oci" && destination === undefined)) return { kind: "none" };
  const whole = values.map(([key, value]) => {
    return csvField(`${key}=${key === "dest" ? inside(output, value, directory) : value}`);
  });
  const kind = type === "docker" && destination === undefined ? "docker" : "other";
  return { kind, output: whole.join(",") };
}

/** One field of a comma-separated value, quoted where it must be: RFC 4180. */
export function csvField(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

function csvFields(text: string): readonly string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (let more = true; more; ) {
    const match = field.exec(text);
    if (match === null) throw invalid(text, "a quote stands inside a value");
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    more = match[3] === ",";
  }
  return fields;
}

function inside(output: string, destination: string, directory: string): string {
  if (destination === "-") throw invalid(output, "standard output holds the result of the command");
  const path = resolve(directory, destination);
  if (isAbsolute(destination)) return path;
  const way = relative(directory, path);
  if (way === "" || way === ".." || way.startsWith("../"))
    throw invalid(output, "its dest leaves the manifest's folder");
  return path;
}

function invalid(output: string, problem: string): InvalidInputError {
  return new InvalidInputError(`Cannot use build.output ${JSON.stringify(output.slice(0, 160))}: ${problem}`, {
    code: "invalid-manifest-file",
    hint: 'Write it as "type=oci", "type=docker" or "type=local,dest=out"',
  });
}
