import { createHash } from 'node:crypto';
import { type SourceItem } from '../source-change.js';
import { type TaskSource } from '../task-source.entity.js';
import { MAX_TAG, MAX_TAGS } from '../tags.js';
import { shorten, storable } from '../text.js';

const MAX_TITLE = 500;

const PREFIX = { issue: '[GitHub]', pull_request: '[GitHub PR]' } as const;
const NAME = { issue: 'GitHub Issue', pull_request: 'GitHub Pull Request' } as const;
const TAGS = { issue: ['github', 'issue'], pull_request: ['github', 'pull_request'] } as const;

type Kind = TaskSource['kind'];
export type SourceText = Pick<SourceItem, 'title' | 'body'>;

export const taskTitle = (kind: Kind, title: string): string =>
  shorten(storable(`${PREFIX[kind]} ${title}`), MAX_TITLE);

export const taskDescription = (kind: Kind, number: number | null, body: string): string =>
  storable(`${heading(kind, number)}\n\n${body}`);

/** `GitHub Issue #42` */
export const heading = (kind: Kind, number: number | null): string =>
  number === null ? NAME[kind] : `${NAME[kind]} #${number}`;

/** `issue #42` */
export const itemName = (kind: Kind, number: number | null): string =>
  (kind === 'issue' ? 'issue' : 'pull request') + (number === null ? '' : ` #${number}`);

/** The kind's own tags, then each label: at most 50 of at most 100 characters. */
export const taskTags = (kind: Kind, labels: Iterable<string>): string[] =>
  boundTags([...TAGS[kind], ...labels]);

export const boundTags = (tags: Iterable<string>): string[] =>
  [...new Set(Array.from(tags, tagOf).filter((tag) => tag !== ''))].slice(0, MAX_TAGS);

export const tagOf = (label: string): string => shorten(storable(label), MAX_TAG);

export const textHash = ({ title, body }: SourceText): string =>
  createHash('sha256').update(`${title}\0${body}`).digest('hex');
