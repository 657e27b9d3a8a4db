import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { startTestService, type TestService } from '../support/service.js';

const run = promisify(execFile);

/** The blocks a reader types, one after the other, into one shell. */
const blocksOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^```bash\n([^]*?)^```$/gm)].map(([, block = '']) => block);

describe('the README', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.close());

  it('leads from nothing to a finished run, word for word', async () => {
    const blocks = blocksOf(await readFile('README.md', 'utf8'));
    expect(blocks.length).toBeGreaterThan(6);
    const script = ['set -eu -o pipefail', ...blocks, 'echo; echo "TASK=$TASK"'].join('\n');
    const { stdout } = await run('bash', ['-c', script], {
      env: { PATH: process.env['PATH'], API: `${service.url}/api/v1` },
    });
    expect(stdout).toContain('Lamp stays dark after a power cut');
    expect(stdout).toContain('"status":"in_review"');
    expect(stdout).toContain('run.started');
  });
});
