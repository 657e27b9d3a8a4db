import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { ResolvedSettings } from '../../../config/settings.js';
import { type GithubClient } from '../client/create-client.js';
import { GithubError } from '../client/github-error.js';
import { type Comment, IssueComments, type Place } from './issue-comments.js';
import { commentBody, hiddenMarker, renderComment } from './render-comment.js';
import { type Subject } from './subject.js';
import { type LeasedRow, WriteBackRows } from './write-back-rows.js';

/** Our clock and GitHub's may differ, and the comment looked for is no older than the first try to make it. */
const CLOCK_MARGIN_MS = 10 * 60_000;

/**
 * Brings one issue up to its task: the comment, then closing, then the label. Each step is kept before the next, and
 * each may be repeated without harm, so that it does not matter where a process dies.
 */
@Injectable()
export class ReconcileComment {
  constructor(
    private readonly rows: WriteBackRows,
    private readonly settings: ResolvedSettings,
  ) {}

  /** @throws GithubError, LeaseLost */
  async reconcile(
    row: LeasedRow,
    subject: Subject & { place: Place },
    client: GithubClient,
    signal: AbortSignal,
  ): Promise<Comment | null> {
    const github = new IssueComments(client.octokit, subject.place, signal);
    const comment = await this.reconcileText(row, subject, github);
    const { write_back, completed_at } = subject;
    if (completed_at === null || write_back === null) return comment;
    const { kind, is_closed } = subject.place;
    const isHandled = is_closed || row.closed_for?.getTime() === completed_at.getTime();
    if (write_back.close && kind === 'issue' && !isHandled) {
      await github.close();
      await this.rows.keep(row, { closed_for: completed_at });
    }
    if (write_back.label !== null && row.labelled_at === null) {
      await github.label(write_back.label);
      await this.rows.keep(row, { labelled_at: new Date() });
    }
    return comment;
  }

  private async reconcileText(
    row: LeasedRow,
    subject: Subject,
    github: IssueComments,
  ): Promise<Comment | null> {
    // An earlier attempt may have made it and lost the answer.
    if (row.comment_id === null && row.create_started_at !== null) await this.find(row, github);
    const body = this.bodyOf(row, subject);
    if (body === null || (row.comment_id !== null && row.comment_sha256 === hash(body))) return null;
    const wasKnown = row.comment_id !== null;
    let edited = await this.edit(row, github, body);
    if (edited === null && wasKnown) {
      // Deleted by somebody, or moved with its issue.
      await this.find(row, github);
      edited = await this.edit(row, github, body);
    }
    if (edited !== null) return edited;
    // There is none now, and not every text is worth a new one.
    const anew = this.bodyOf(row, subject);
    return anew === null ? null : this.create(row, github, anew);
  }

  private bodyOf(row: LeasedRow, subject: Subject): string | null {
    const text = renderComment(subject, this.settings.ENTOURAGE_PUBLIC_URL, row.comment_id !== null);
    return text === null ? null : commentBody(text, row.marker);
  }

  private async find(row: LeasedRow, github: IssueComments): Promise<void> {
    const since = new Date((row.create_started_at ?? row.created_at).getTime() - CLOCK_MARGIN_MS);
    const found = await github.find(hiddenMarker(row.marker), since);
    if (found !== null)
      await this.rows.keep(row, { comment_id: found.id, comment_url: found.url, comment_sha256: null });
  }

  /** @returns null when there is no comment, or not any more: it is then forgotten. */
  private async edit(row: LeasedRow, github: IssueComments, body: string): Promise<Comment | null> {
    if (row.comment_id === null) return null;
    try {
      const comment = await github.edit(row.comment_id, body);
      await this.rows.keep(row, { comment_url: comment.url, comment_sha256: hash(body) });
      return comment;
    } catch (error) {
      if (!(error instanceof GithubError) || error.kind !== 'missing') throw error;
      await this.rows.keep(row, { comment_id: null, comment_url: null, comment_sha256: null });
      return null;
    }
  }

  private async create(row: LeasedRow, github: IssueComments, body: string): Promise<Comment> {
    if (row.create_started_at === null) await this.rows.keep(row, { create_started_at: new Date() });
    const comment = await github.create(body);
    await this.rows.keep(row, {
      comment_id: comment.id,
      comment_url: comment.url,
      comment_sha256: hash(body),
    });
    return comment;
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
