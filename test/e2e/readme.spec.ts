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
    service = await startTestService({ ENTOURAGE_OUTBOUND_ALLOW_CIDRS: ['127.0.0.0/8'] });
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
    expect(stdout).toContain('"event":"webhook.test"');
    expect(stdout).toMatch(/\{"event":"task.completed","task_id":\d+,"team_id":"/);
    expect(stdout).toMatch(/"event":"task.completed"[^}]+"status":"succeeded"/);

    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    for (const line of [
      'entourage_deliveries_total{result="processed"} 1',
      'entourage_runs_total{result="succeeded"} 1',
      'entourage_stage_seconds_count{stage="receive"} 1',
      'entourage_stage_seconds_count{stage="commit"} 1',
      'entourage_stage_seconds_count{stage="dispatch_wait"} 1',
      'entourage_stage_seconds_count{stage="run"} 1',
    ])
      expect(metrics).toContain(line);
  });
});
