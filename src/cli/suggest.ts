import { editDistance } from "../core/nearest.ts";

/**
 * The candidates nearest to `word`, best first and at most `limit`: those at an edit distance of at most a third of
 * the word (at least 1), and those that it begins. Empty where nothing is near.
 */
export function suggest(word: string, candidates: readonly string[], limit = 3): readonly string[] {
  const wanted = word.toLowerCase();
  const reach = Math.max(1, Math.floor(wanted.length / 3));
  const near: { candidate: string; distance: number }[] = [];
  for (const candidate of candidates) {
    const distance =
      wanted.length >= 2 && candidate.startsWith(wanted)
        ? 0.5
        : sameWords(wanted, candidate)
          ? 0.25
          : editDistance(wanted, candidate);
    if (distance <= reach) near.push({ candidate, distance });
  }
  near.sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1));
  return [...new Set(near.map((entry) => entry.candidate))].slice(0, limit);
}

// "image push" for "push image"
function sameWords(a: string, b: string): boolean {
  return a.includes(" ") && a.split(" ").sort().join(" ") === b.split(" ").sort().join(" ");
}
