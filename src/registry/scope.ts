/** What is to be done with a repository; `delete` comes with the right to push where a registry knows no other. */
export type Access = "pull" | "pull,push" | "pull,push,delete";

/** The scope of a repository in the words of token servers: distribution's "Token Scope Documentation". */
export function repositoryScope(repository: string, access: Access): string {
  return `repository:${repository}:${access}`;
}

/** The same rights with one scope a resource, sorted; scopes of another shape stay as they are. At most 64 count. */
export function mergeScopes(scopes: readonly string[]): readonly string[] {
  const actions = new Map<string, Set<string>>();
  const others = new Set<string>();
  for (const scope of scopes.slice(0, 64)) {
    // A resource's name may have a colon itself (a port): the type ends at the first one, the actions begin at the last
    const first = scope.indexOf(":");
    const last = scope.lastIndexOf(":");
    if (first < 1 || last === first) {
      others.add(scope);
      continue;
    }
    const resource = scope.slice(0, last);
    const known = actions.get(resource) ?? new Set();
    for (const action of scope.slice(last + 1).split(",")) if (action !== "") known.add(action);
    actions.set(resource, known);
  }
  const merged = [...actions].map(([resource, known]) => `${resource}:${[...known].sort(byRank).join(",")}`);
  return [...merged, ...others].sort();
}

const ranks = ["pull", "push", "delete"];

function byRank(a: string, b: string): number {
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

function rank(action: string): number {
  const at = ranks.indexOf(action);
  return at < 0 ? ranks.length : at;
}
