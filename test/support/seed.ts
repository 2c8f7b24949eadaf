/** The seed of tests that choose points at random: `$LIBRARY_TEST_SEED`, or 1. Print it beside what was chosen. */
export function testSeed(): number {
  const text = process.env.LIBRARY_TEST_SEED ?? "1";
  if (!/^\d{1,9}$/.test(text)) throw new Error(`LIBRARY_TEST_SEED is "${text}", expected a number below 10^9`);
  return Number(text);
}

/** Numbers from 0 up to but not including 1 that depend on the seed alone: mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** How often each text occurs, the most frequent first: "GET blob 41, PUT tag 9". */
export function histogram(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  const sorted = [...counts].sort(([a, one], [b, two]) => two - one || (a < b ? -1 : 1));
  return sorted.map(([text, count]) => `${text} ${count}`).join(", ");
}
