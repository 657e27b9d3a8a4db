// What must not be there when the load is over and the agents have had time to end their work.

const STUCK = {
  'runs without an end': 'SELECT FROM agent_runs WHERE finished_at IS NULL',
  'agents at work': `SELECT FROM agents WHERE status = 'working'`,
  'tasks that are not in review': `SELECT FROM tasks WHERE status <> 'in_review'`,
  'deliveries that were not processed': `SELECT FROM deliveries WHERE status NOT IN ('processed', 'ignored')`,
  'notifications of the healthy receiver': `SELECT FROM outbound_deliveries WHERE finished_at IS NULL AND webhook_id = $1`,
  'notifications that a sender forgot': `SELECT FROM outbound_deliveries WHERE status = 'delivering' AND due_at < now() - interval '5 seconds'`,
  'open transactions': `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND xact_start < now() - interval '5 seconds'`,
};

/** @returns one line for each kind of what is left. */
export async function leftovers(db, healthy) {
  const found = [];
  for (const [what, sql] of Object.entries(STUCK)) {
    const { rowCount } = await db.query(sql, sql.includes('$1') ? [healthy] : []);
    if (rowCount > 0) found.push(`${rowCount} ${what}`);
  }
  return found;
}

/** Whether every acknowledged delivery is there once, and each issue is one task. */
export async function lost(db, senders) {
  const guids = senders.flatMap(({ acknowledged }) => acknowledged);
  const issues = senders.reduce((sum, sender) => sum + sender.issues, 0);
  const unsure = senders.reduce((sum, sender) => sum + sender.unsure, 0);
  const { rows } = await db.query(
    `SELECT (SELECT count(*) FROM deliveries WHERE guid = ANY($1))::int AS deliveries,
      (SELECT count(*) FROM tasks)::int AS tasks`,
    [guids],
  );
  const [{ deliveries, tasks }] = rows;
  return [
    ...(deliveries === guids.length ? [] : [`${guids.length} deliveries acknowledged, ${deliveries} there`]),
    ...(tasks >= issues && tasks <= issues + unsure
      ? []
      : [`${issues} issues, ${unsure} not sure, ${tasks} tasks`]),
  ];
}
