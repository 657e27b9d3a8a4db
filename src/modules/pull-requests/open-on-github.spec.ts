import { describe, expect, it } from '@jest/globals';
import { parseRemote } from './open-on-github.js';

describe('the repository on GitHub that a remote is', () => {
  it.each([
    'https://github.com/acme/app.git',
    'https://user:token@github.com/acme/app',
    'git@github.com:acme/app.git',
    'ssh://git@github.com/acme/app.git',
    'ssh://git@github.com:22/acme/app/',
  ])('is found in %s', (url) => {
    expect(parseRemote(url)).toEqual({ host: 'github.com', owner: 'acme', repo: 'app' });
  });

  it.each([
    '/srv/app.git',
    '',
    'https://github.com/app',
    'ext::sh',
    'https://github.com/a/b/c',
    'file:///a/b',
  ])('is not found in %j', (url) => expect(parseRemote(url)).toBeNull());
});
