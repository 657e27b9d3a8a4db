import { isUUID } from 'class-validator';
import { type ObjectLiteral, type SelectQueryBuilder } from 'typeorm';
import { decodeCursor, invalidCursor, MAX_PAGE, Page, type PageQuery } from '../http/pagination.js';

/**
 * One page of rows in the order of their names. Without a limit it is the largest page: clients written before paging
 * take a list for the whole.
 */
export async function pageByName<T extends ObjectLiteral & { id: string; name: string }>(
  rows: SelectQueryBuilder<T>,
  query: PageQuery,
): Promise<Page<T>> {
  const limit = query.limit ?? MAX_PAGE;
  const after = decodeCursor(query.cursor, 2);
  if (after !== null) {
    const [name, id] = after;
    if (!isUUID(id)) throw invalidCursor();
    rows.andWhere(`(${rows.alias}.name, ${rows.alias}.id) > (:name, :id)`, { name: String(name), id });
  }
  const found = await rows
    .orderBy(`${rows.alias}.name`)
    .addOrderBy(`${rows.alias}.id`)
    .take(limit + 1)
    .getMany();
  return Page.of(found, limit, (row) => [row.name, row.id]);
}
