import { expect, test } from "bun:test";
import { publicRemote } from "../../src/git/remote.ts";

test.each<[remote: string, url: string | undefined]>([
  ["https://example.org/a/b.git", "https://example.org/a/b"],
  ["https://user:token@example.org/a/b.git", "https://example.org/a/b"],
  ["https://ghp_token@example.org/a/b", "https://example.org/a/b"],
  ["https://example.org:8443/a/b/", "https://example.org:8443/a/b"],
  ["https://example.org/a/b?access_token=x#y", "https://example.org/a/b"],
  ["http://user:token@example.org/a/b", "http://example.org/a/b"],
  ["git@example.org:a/b.git", "https://example.org/a/b"],
  ["example.org:a/b.git", "https://example.org/a/b"],
  ["git@example.org:/a/b.git", "https://example.org/a/b"],
  ["ssh://git@example.org:2222/a/b.git", "https://example.org/a/b"],
  ["git+ssh://git:secret@example.org/a/b", "https://example.org/a/b"],
  ["git://example.org/a/b.git", "https://example.org/a/b"],
  ["/srv/git/b.git", undefined],
  ["../b", undefined],
  ["C:\\git\\b", undefined],
  ["c:/git/b", undefined],
  ["file:///srv/git/b.git", undefined],
  ["ext::sh -c evil", undefined],
  ["", undefined],
])("publicRemote() of %s is %s", (remote, url) => {
  expect(publicRemote(remote)).toBe(url);
});
