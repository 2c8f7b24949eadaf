/**
 * The remote as anyone may see it: user, password, query and fragment removed, and the forms of ssh turned into the
 * https URL that browsers open, without `.git`. Undefined for paths, `file:` and whatever is no URL of a host.
 */
export function publicRemote(remote: string): string | undefined {
  const text = remote.trim();
  // git@host:owner/repository.git, as scp writes it; a single letter before the colon is a drive
  const scp = /^(?:[^@/\s:]+@)?([A-Za-z0-9][A-Za-z0-9.-]+):(?!\/\/)\/?([^\s?#]+)$/.exec(text);
  if (scp && !text.includes("://")) return browsable("https:", scp[1] ?? "", scp[2] ?? "");
  if (!URL.canParse(text)) return undefined;
  const { protocol, host, hostname, pathname } = new URL(text);
  if (hostname === "") return undefined;
  if (protocol === "https:" || protocol === "http:") return browsable(protocol, host, pathname);
  // The port of ssh and git is not the web server's
  if (/^(?:ssh|git|git\+ssh|ssh\+git):$/.test(protocol)) return browsable("https:", hostname, pathname);
  return undefined;
}

function browsable(protocol: string, host: string, path: string): string | undefined {
  const url = `${protocol}//${host}/${path
    .replace(/^\/+/, "")
    .replace(/\/+$/, "")
    .replace(/\.git$/, "")}`;
  return URL.canParse(url) ? new URL(url).href.replace(/\/$/, "") : undefined;
}
