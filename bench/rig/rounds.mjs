/**
 * Measures sides in turn, so that what disturbs the machine for a while disturbs all of them. The first round warms up
 * and is not counted.
 * @returns for each side the results of its rounds.
 */
export async function alternate(sides, rounds, measure) {
  const results = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round += 1)
    for (const [name, side] of Object.entries(sides)) {
      const result = await measure(side, name);
      if (round > 0) results[name].push(result);
    }
  return results;
}

/** Asks until the answer is truthy. */
export async function until(look, what, { every_ms = 20, within_s = 600 } = {}) {
  const late = performance.now() + within_s * 1000;
  for (;;) {
    const answer = await look();
    if (answer) return answer;
    if (performance.now() > late) throw new Error(`waited ${within_s} s in vain for ${what}`);
    await new Promise((done) => setTimeout(done, every_ms));
  }
}
