import { createHash } from 'node:crypto';
import { DomainError, type FieldError, validationFailed } from '../../../errors/domain-error.js';
import { type SubtaskDto } from './subtasks.dto.js';

/**
 * What can be told of a decomposition without looking at anything else.
 * @throws DomainError `validation_failed` with an entry for each fault, or `dependency_cycle`.
 */
export function assertPlan(subtasks: SubtaskDto[]): void {
  const errors = subtasks.flatMap((subtask, place): FieldError[] => {
    const path = `subtasks.${place}`;
    const given = (['role', 'agent', 'assignee_id'] as const).filter((name) => Boolean(subtask[name]));
    return [
      ...given.slice(1).map((name) => ({
        field: `${path}.${name}`,
        message: `${name} cannot be given together with ${given[0]}`,
      })),
      ...(indicesOf(subtask).every((index) => index < subtasks.length && index !== place)
        ? []
        : [
            {
              field: `${path}.depends_on_indices`,
              message: 'depends_on_indices must be places of other sub-tasks in this list',
            },
          ]),
    ];
  });
  if (errors.length > 0) throw validationFailed(errors);
  const circle = circleIn(subtasks.map(indicesOf));
  if (circle !== null)
    throw new DomainError('dependency_cycle', `subtasks.${circle} depends on itself through others`);
}

export const indicesOf = ({ depends_on_indices }: SubtaskDto): number[] => [
  ...new Set(depends_on_indices ?? []),
];

/** A place that depends on itself, directly or not; null when none does. */
export function circleIn(dependencies: number[][]): number | null {
  const open = new Set(dependencies.keys());
  for (;;) {
    const free = [...open].filter((place) => (dependencies[place] ?? []).every((on) => !open.has(on)));
    if (free.length === 0) break;
    for (const place of free) open.delete(place);
  }
  // What is left waits for a circle or is in one: followed far enough, it leads into one.
  let [place] = open;
  if (place === undefined) return null;
  for (let steps = 0; steps < dependencies.length; steps += 1)
    place = (dependencies[place] ?? []).find((on) => open.has(on)) ?? place;
  return place;
}

/** The same for the same wish, however it was written: order of fields, and null or nothing, make no difference. */
export function planHash(subtasks: SubtaskDto[]): Buffer {
  const canonical = JSON.stringify(subtasks, (_, value: unknown) =>
    typeof value !== 'object' || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(
          Object.entries(value)
            .filter(([, part]) => part !== null && part !== undefined)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        ),
  );
  return createHash('sha256').update(canonical).digest();
}
