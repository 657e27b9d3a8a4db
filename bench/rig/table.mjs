import { cpus, totalmem } from 'node:os';

const shown = (value) => {
  if (typeof value !== 'number') return String(value ?? '');
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
};

/** Prints rows as a Markdown table that can go into RESULTS.md as it is. */
export function printTable(rows) {
  const names = Object.keys(rows[0] ?? {});
  const cells = [names, ...rows.map((row) => names.map((name) => shown(row[name])))];
  const widths = names.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const isNumber = names.map((name) => rows.every((row) => typeof row[name] === 'number'));
  const line = (texts) =>
    `| ${texts.map((text, column) => (isNumber[column] ? text.padStart(widths[column]) : text.padEnd(widths[column]))).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    isNumber[column] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  console.log([line(cells[0]), line(rule), ...cells.slice(1).map(line)].join('\n'));
}

export const machine = () =>
  `${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node.js ${process.versions.node}`;
