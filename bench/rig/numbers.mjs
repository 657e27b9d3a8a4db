/** The value below which that share of the sorted numbers lies. */
const percentile = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** Of times in milliseconds. */
export function summary(times) {
  const sorted = Float64Array.from(times).sort();
  return { p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95), p99: percentile(sorted, 0.99) };
}

export const median = (numbers) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** The median of one field over rounds. */
export const medianOf = (rounds, field) => median(rounds.map((round) => round[field]));

/** The median of the ratios within each round: what disturbs a round disturbs both of its sides. */
export const medianRatio = (rounds, others, field = 'per_second') =>
  median(rounds.map((round, index) => round[field] / others[index][field]));
