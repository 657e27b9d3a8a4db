import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseCommands } from '../../src/config/commands.js';

const example = (name: string): string => `${process.cwd()}/examples/agents/${name}`;

describe('the examples of agents', () => {
  it.each(['claude-code.json', 'mcp-agent.json', 'shell-script.json'])(
    '%s is a valid commands file',
    (name) => {
      expect(parseCommands(readFileSync(example(name), 'utf8')).size).toBe(1);
    },
  );

  it('echo.sh reads a prompt and succeeds', () => {
    const said = execFileSync('/bin/sh', [example('echo.sh')], {
      input: 'Fix it\nnow\n',
      env: {
        PATH: process.env['PATH'],
        ENTOURAGE_TASK_ID: '7',
        ENTOURAGE_ATTEMPT: '1',
        ENTOURAGE_BRANCH: 'task-7-fix',
      },
    }).toString();
    expect(said).toBe(
      'Task 7, attempt 1, on branch task-7-fix\nThe prompt has 10 characters and begins:\nFix it\nnow\n',
    );
  });
});
