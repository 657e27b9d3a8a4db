import { TASK_PRIORITIES, type TaskPriority } from '../task.entity.js';

/** Labels that rank an issue; any other label says nothing. */
export const LABEL_PRIORITIES: Readonly<Record<string, TaskPriority>> = {
  critical: 'critical',
  urgent: 'critical',
  p0: 'critical',
  high: 'high',
  important: 'high',
  p1: 'high',
  low: 'low',
  minor: 'low',
  p3: 'low',
};

const fold = (label: string): string => label.trim().toLowerCase();

/** The highest priority that a label calls for, by `map` or the built-in one, in any case; `medium` where none does. */
export function labelPriority(
  labels: Iterable<string>,
  map: Readonly<Record<string, TaskPriority>> | null,
): TaskPriority {
  const ranks = new Map(Object.entries(map ?? LABEL_PRIORITIES).map(([label, rank]) => [fold(label), rank]));
  const called = new Set(Array.from(labels, (label) => ranks.get(fold(label))));
  return TASK_PRIORITIES.find((priority) => called.has(priority)) ?? 'medium';
}
