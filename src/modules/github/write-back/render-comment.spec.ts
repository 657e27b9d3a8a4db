import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TASK_STATUSES } from '../../tasks/task.entity.js';
import { type CommentSubject, renderComment } from './render-comment.js';

const subject = (values: Partial<CommentSubject> = {}): CommentSubject => ({
  task_ids: [601],
  status: 'todo',
  hold_reason: null,
  is_completed: false,
  agent_name: 'Grace',
  ...values,
});

describe('renderComment', () => {
  it.each<[Partial<CommentSubject>, string | null, string | null]>([
    [{}, null, 'This waits for an agent again (task #601)'],
    [{ hold_reason: 'draft' }, null, 'This waits for an agent again (task #601)'],
    [{ status: 'cancelled' }, null, 'The work on this was cancelled (task #601)'],
    [{ status: 'archived' }, null, 'The work on this was cancelled (task #601)'],
    [{ status: 'in_progress' }, '`Grace` is working on this (task #601)', 'same'],
    [{ status: 'in_progress', agent_name: null }, 'An agent is working on this (task #601)', 'same'],
    [{ status: 'in_review' }, 'The work on this waits for review (task #601)', 'same'],
    [{ status: 'in_approval' }, 'The work on this was reviewed and waits for approval (task #601)', 'same'],
    [{ status: 'merging' }, 'The work on this was approved and is being merged (task #601)', 'same'],
    [
      { hold_reason: 'awaiting_release' },
      'A person needs to release this before an agent works on it (task #601)',
      'same',
    ],
    [
      { hold_reason: 'attempts_exhausted' },
      'The work on this failed and is not tried again by itself: a person needs to look at it (task #601)',
      'same',
    ],
    [
      { hold_reason: 'run_cancelled' },
      'The work on this was stopped: a person decides how it goes on (task #601)',
      'same',
    ],
    [{ status: 'done', is_completed: true }, 'Resolved in task #601', 'same'],
    [{ status: 'archived', is_completed: true }, 'Resolved in task #601', 'same'],
    [
      { status: 'done', is_completed: true, task_ids: [601, 602, 603] },
      'Resolved in tasks #601-#603',
      'same',
    ],
  ])('%j', (values, anew, edited) => {
    expect(renderComment(subject(values), undefined, false)).toBe(anew);
    expect(renderComment(subject(values), undefined, true)).toBe(edited === 'same' ? anew : edited);
  });

  it('links each number where the service can be reached', () => {
    const done = subject({ status: 'done', is_completed: true, task_ids: [601, 602, 605] });
    const at = 'https://entourage.example.com/api/v1/tasks';
    expect(renderComment(done, 'https://entourage.example.com/', false)).toBe(
      `Resolved in tasks [#601](${at}/601)-[#602](${at}/602), [#605](${at}/605)`,
    );
  });

  it("shows an agent's name as code, whatever it holds: it mentions nobody and is no Markdown", () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...TASK_STATUSES), (agent_name, status) => {
        const text = renderComment(subject({ agent_name, status }), undefined, true) ?? '';
        expect(text).not.toContain('\n');
        expect(text.split('`')).toHaveLength(text.includes('`') ? 3 : 1);
        expect(text.replaceAll(/`[^`]*`/g, '')).not.toMatch(/[@<>*_[\]]/);
      }),
    );
  });
});
