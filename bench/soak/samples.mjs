// What the service uses while it is soaked, and whether that grows.
import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { median } from '../rig/numbers.mjs';
import { memory } from '../rig/usage.mjs';

/** From the first quarter on, which warms up: caches, pools, the compiler. */
const EARLY = [0.25, 0.5];
const LATE = [0.75, 1];
/** Growth between the two windows that is still called flat; a leak goes on, and is past it after a longer soak. */
const FLAT = 1.2;
/** And of a few more sockets nobody can say that they grow. */
const SLACK = 10;

const CONNECTIONS = `SELECT count(*)::int AS count FROM pg_stat_activity
  WHERE datname = current_database() AND application_name LIKE 'entourage%'`;

/** Time to collect garbage in. */
const COLLECT_MS = 300;

async function heapInUse({ pid, url }) {
  process.kill(pid, 'SIGUSR2');
  await delay(COLLECT_MS);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^nodejs_heap_size_used_bytes (\S+)/m.exec(metrics)?.[1]) / 2 ** 20;
}

/** With `heap` also what of it is in use, which takes the service a moment of its time. */
export async function takeSample({ service, db }, { heap }) {
  const [used, files, connections] = await Promise.all([
    memory(service.pid),
    readdir(`/proc/${service.pid}/fd`),
    db.query(CONNECTIONS),
  ]);
  return {
    rss: used.now,
    files: files.length,
    connections: connections.rows[0].count,
    heap: heap ? await heapInUse(service) : null,
  };
}

const windowOf = (samples, [from, to]) =>
  samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to));

const MEASURES = [
  { what: 'resident memory, MiB', of: ({ rss }) => rss },
  { what: 'heap in use, MiB', of: ({ heap }) => heap },
  { what: 'open files and sockets', of: ({ files }) => files },
];

/** @returns rows for a table, and what is wrong with them. */
export function judge(samples, most_connections) {
  const faults = [];
  const compare = (what, of) => {
    const taken = (range) => windowOf(samples, range).flatMap((sample) => of(sample) ?? []);
    const [early, late] = [median(taken(EARLY)), median(taken(LATE))];
    return { what, early, late, ratio: late / early, most: Math.max(...taken([0, 1])) };
  };
  const rows = MEASURES.map(({ what, of }) => compare(what, of));
  for (const { what, early, late } of rows)
    if (!(late <= early * FLAT + SLACK))
      faults.push(`${what}: ${early.toFixed(1)} became ${late.toFixed(1)}`);
  const connections = compare('connections to PostgreSQL', (sample) => sample.connections);
  if (connections.most > most_connections)
    faults.push(`${connections.most} connections to the database, of ${most_connections}`);
  return { rows: [...rows, connections], faults };
}
