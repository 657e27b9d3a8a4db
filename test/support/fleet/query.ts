import pg from 'pg';

export type Query = <Row>(sql: string, values?: unknown[]) => Promise<Row[]>;

/** Each statement over a connection of its own: the server may go away between two of them. */
export const queryOn =
  (url: string): Query =>
  async <Row>(sql: string, values: unknown[] = []): Promise<Row[]> => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql, values)).rows as Row[];
    } finally {
      await client.end().catch(() => undefined);
    }
  };
