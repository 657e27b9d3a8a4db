// What processes use, read from /proc: Linux only, elsewhere the numbers are missing.
import { readdir, readFile } from 'node:fs/promises';

const TICK_MS = 10;

/** CPU milliseconds used so far by processes and, with `children`, by those they started. */
export async function cpu(pids, { children = false } = {}) {
  let ticks = 0;
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const own = pids.includes(Number(name));
    if (own || (children && pids.includes(Number(fields[1]))))
      ticks += Number(fields[11]) + Number(fields[12]);
    // And what children used that have ended: PostgreSQL makes a process for each connection.
    if (own && children) ticks += Number(fields[13]) + Number(fields[14]);
  }
  return ticks * TICK_MS;
}

/** Resident memory of a process in MiB: now, and the most so far. */
export async function memory(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const read = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN) / 1024;
  return { now: read('VmRSS'), most: read('VmHWM') };
}
