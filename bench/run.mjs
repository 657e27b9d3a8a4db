// npm run bench -- [name …] [--rounds 3] [--seconds 5] [options of the program]; without a name all of them in turn.
import { parseArgs } from 'node:util';
import { machine } from './rig/table.mjs';

const NAMES = ['ingest', 'notify', 'time-to-work', 'dispatch', 'outbound', 'growth', 'start', 'commits'];
const COMMON = { rounds: '3', seconds: '5' };

const programs = Object.fromEntries(
  await Promise.all(NAMES.map(async (name) => [name, (await import(`./${name}.mjs`)).default])),
);
const known = Object.assign({}, COMMON, ...Object.values(programs).map(({ options }) => options));
const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: Object.fromEntries(Object.keys(known).map((name) => [name, { type: 'string' }])),
});
const help = positionals.includes('help');
const unknown = positionals.filter((name) => !NAMES.includes(name));
if (unknown.length > 0) {
  console.error(
    help
      ? 'npm run bench -- [name …] [options]; there are:'
      : `there is no ${unknown.join(', ')}; there are:`,
  );
  for (const [name, { about, options }] of Object.entries(programs))
    console.error(
      `  ${name}: ${about}\n    ${Object.entries({ ...COMMON, ...options })
        .map(([option, value]) => `--${option} ${value}`)
        .join(' ')}`,
    );
  process.exit(help ? 0 : 1);
}

const listed = (text) => text.split(',').filter(Boolean);
console.log(machine());
for (const name of positionals.length > 0 ? positionals : NAMES) {
  const { about, options, run } = programs[name];
  const texts = { ...COMMON, ...options, ...given };
  const settings = {
    ...texts,
    number: (option) => Number(texts[option]),
    list: (option) => listed(texts[option]),
    numbers: (option) => listed(texts[option]).map(Number),
  };
  console.log(`\n## ${name}\n\n${about}\n`);
  await run(settings);
}
