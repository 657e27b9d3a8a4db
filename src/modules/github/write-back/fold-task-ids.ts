/**
 * `#601`, `#601-#603`, `#601-#603, #605`: runs of ids folded, in ascending order.
 * @param link how one id is written
 */
export function foldTaskIds(ids: number[], link = (id: number): string => `#${id}`): string {
  const runs: [number, number][] = [];
  for (const id of [...new Set(ids)].toSorted((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === id - 1) last[1] = id;
    else runs.push([id, id]);
  }
  return runs
    .map(([first, last]) => (first === last ? link(first) : `${link(first)}-${link(last)}`))
    .join(', ');
}
