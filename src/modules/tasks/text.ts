/** Without what PostgreSQL cannot store in text and jsonb: NUL, and halves of surrogate pairs. */
export const storable = (text: string): string => text.replaceAll('\0', '').toWellFormed();

/** At most `length` characters (code points, as PostgreSQL counts them); what was longer ends with `…`. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text;
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

/** Of the branch an agent works on: `<the team's prefix>task-<id>-<slug of the title>`. */
export const branchSlug = (title: string): string =>
  title
    .toLowerCase()
    .slice(0, 50)
    .replaceAll(' ', '-')
    .replaceAll(/[^a-z0-9-]/g, '');
