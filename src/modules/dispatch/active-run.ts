/**
 * The same as `finished_at IS NULL`, by a constraint that PostgreSQL's planner does not know of. For statements that
 * find a run by its id: told `finished_at IS NULL`, it may read the whole of the index that has just the active runs,
 * which it takes for tiny and which holds all that ended since the last vacuum.
 */
export const IS_ACTIVE = `status IN ('starting', 'running')`;
