// What GitHub sends, from its own examples: an issue is 12 kB, a pull request 21 kB, a push 7 kB. Never twice the same.
import examples from '@octokit/webhooks-examples' with { type: 'json' };
import { randomUUID } from 'node:crypto';

const exampleOf = (event, action) => {
  const found = examples.find(({ name }) => name === event)?.examples.find((one) => one.action === action);
  if (found === undefined) throw new Error(`there is no example of ${event}`);
  return found;
};

const EXAMPLES = {
  issues: exampleOf('issues', 'opened'),
  pull_request: exampleOf('pull_request', 'opened'),
  push: exampleOf('push'),
};

let number = 0;

/** `text_bytes`: how much longer the issue's own text is than in the example. */
export function nextBody(event, text_bytes = 0) {
  number += 1;
  const payload = EXAMPLES[event];
  const now = Math.floor(Date.now() / 1000);
  if (event === 'push')
    return JSON.stringify({
      ...payload,
      after: randomUUID(),
      repository: { ...payload.repository, pushed_at: now },
    });
  const kind = event === 'issues' ? 'issue' : 'pull_request';
  const item = payload[kind];
  return JSON.stringify({
    ...payload,
    ...('number' in payload ? { number } : {}),
    [kind]: {
      ...item,
      id: number,
      number,
      updated_at: new Date(now * 1000).toISOString().replace('.000Z', 'Z'),
      title: `${item.title} (${number})`,
      body: `${item.body ?? ''}${'The quick brown fox jumps over the lazy dog. '.repeat(Math.ceil(text_bytes / 45))}`,
    },
  });
}
