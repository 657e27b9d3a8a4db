import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { branchSlug } from '../text.js';
import { itemName, taskDescription, taskTags, taskTitle, textHash } from './source-text.js';

const anyText = fc.string({
  unit: fc.oneof(fc.constantFrom('\0', '\ud800', '😀', ' '), fc.string()),
  maxLength: 900,
});

describe('text of a task from GitHub', () => {
  it('reads as the contract says', () => {
    expect(taskTitle('issue', 'Login')).toBe('[GitHub] Login');
    expect(taskTitle('pull_request', 'Login')).toBe('[GitHub PR] Login');
    expect(taskDescription('issue', 42, 'Body')).toBe('GitHub Issue #42\n\nBody');
    expect(taskDescription('pull_request', 7, '')).toBe('GitHub Pull Request #7\n\n');
    expect(taskTags('issue', ['bug', 'bug', ''])).toEqual(['github', 'issue', 'bug']);
    expect(itemName('pull_request', 7)).toBe('pull request #7');
    expect(itemName('issue', null)).toBe('issue');
  });

  it('always fits the columns', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const title = taskTitle('issue', text);
        const length = Array.from(title).length;
        expect(length).toBeGreaterThan(0);
        expect(length).toBeLessThanOrEqual(500);
        expect(title.isWellFormed() && !title.includes('\0')).toBe(true);
        const whole = `[GitHub] ${text.replaceAll('\0', '').toWellFormed()}`;
        if (Array.from(whole).length <= 500) expect(title).toBe(whole);
        else expect(title.endsWith('…') && whole.startsWith(title.slice(0, -1))).toBe(true);
        expect(branchSlug(title)).toMatch(/^[a-z0-9-]{0,50}$/);
      }),
    );
    fc.assert(
      fc.property(fc.array(anyText), (labels) => {
        const tags = taskTags('issue', labels);
        expect(tags.length).toBeLessThanOrEqual(50);
        expect(new Set(tags).size).toBe(tags.length);
        for (const tag of tags) expect(Array.from(tag).length).toBeLessThanOrEqual(100);
      }),
    );
  });

  it('tells apart where title ends and body begins', () => {
    expect(textHash({ title: 'a', body: 'b' })).not.toBe(textHash({ title: 'ab', body: '' }));
  });
});
