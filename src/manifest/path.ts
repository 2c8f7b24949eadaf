/** A place inside a document: keys of mappings and indices of lists, from the root. */
export type Path = readonly (string | number)[];

/** The path as people write it: `build.tags[0]`, `config.tools[1].env["A B"]`. */
export function formatPath(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      if (!/^[A-Za-z0-9_-]+$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join("");
}

/** The path that `formatPath` writes, with `build.tags.0` accepted too; undefined where `text` is none. */
export function parsePath(text: string): Path | undefined {
  const parts: (string | number)[] = [];
  const part = /(?:^|\.)([A-Za-z0-9_-]+)|\[([0-9]{1,6})\]|\[("(?:[^"\\]|\\.)*")\]/y;
  let at = 0;
  while (at < text.length) {
    part.lastIndex = at;
    const match = part.exec(text);
    if (!match) return undefined;
    const [, name, index, quoted] = match;
    if (name !== undefined) parts.push(at > 0 && /^[0-9]{1,6}$/.test(name) ? Number(name) : name);
    else if (index !== undefined) parts.push(Number(index));
    else if (quoted !== undefined) parts.push(unquote(quoted));
    at = part.lastIndex;
  }
  return parts.length === 0 ? undefined : parts;
}

/** The path as a key of a Map: two paths have the same key only if they are the same. */
export function pathKey(path: Path): string {
  return JSON.stringify(path);
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    // Not JSON's escapes: the text between the quotes is the key as it stands
    return text.slice(1, -1);
  }
}
