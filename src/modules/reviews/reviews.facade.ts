import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, LessThan } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { decodeCursor, invalidCursor, Page, type PageQuery } from '../../http/pagination.js';
import { type Identity, reachable } from '../auth/identity.js';
import { TeamSettings } from '../settings/settings.facade.js';
import { type Task } from '../tasks/task.entity.js';
import {
  lockTask,
  lockToMove,
  Messages,
  recordEvent,
  Tasks,
  TaskTransitions,
} from '../tasks/tasks.facade.js';
import { giveVerdict } from './give-verdict.js';
import { guardTransitions } from './guard-transitions.js';
import { newestReview } from './newest-review.js';
import { openReview, requestReview } from './request-review.js';
import { ReviewComment } from './review-comment.entity.js';
import { Review } from './review.entity.js';
import { type CommitLookup, ReviewStanding, type Standing } from './review-standing.js';
import { reviewDtos, toCommentDto } from './review-views.js';
import {
  type AddCommentDto,
  type GiveVerdictDto,
  type RequestReviewDto,
  type ReviewCommentDto,
  type ReviewDto,
} from './reviews.dto.js';
import { speakerOf } from './speaker.js';

/** Reviews of tasks. Whatever changes those of a task locks the task first. */
@Injectable()
export class Reviews {
  constructor(
    private readonly db: DataSource,
    private readonly tasks: Tasks,
    private readonly transitions: TaskTransitions,
    private readonly messages: Messages,
    private readonly standings: ReviewStanding,
    settings: TeamSettings,
  ) {
    transitions.onAttempt((manager, attempt) => guardTransitions(manager, attempt, { standings, settings }));
  }

  /**
   * What the newest review of a task is worth now.
   * @param commit the newest commit of the task's branch: an approval of another one, or of none, is stale. Null or
   * left out where no repository knows the branch: then it is not compared.
   */
  standing(manager: EntityManager, task_id: number, commit: string | null = null): Promise<Standing> {
    return this.standings.of(manager, task_id, commit);
  }

  /**
   * Tells where the newest commit of a task's branch is found. From then on a verdict that names no commit is bound to
   * it, and a team that requires review lets no task pass whose branch has gone on since.
   */
  commitsComeFrom(lookup: CommitLookup): void {
    this.standings.commitsComeFrom(lookup);
  }

  /** @throws DomainError `task_not_found`, `validation_failed` */
  async request(identity: Identity, task_id: number, dto: RequestReviewDto): Promise<ReviewDto> {
    await this.tasks.getReachable(identity, task_id);
    return this.withTask(task_id, (manager, task) =>
      requestReview(manager, identity, task, dto, this.messages),
    );
  }

  /** Newest first. */
  async ofTask(identity: Identity, task_id: number, query: PageQuery): Promise<Page<ReviewDto>> {
    await this.tasks.getReachable(identity, task_id);
    const limit = query.limit ?? 100;
    const [before] = decodeCursor(query.cursor, 1) ?? [];
    if (before !== undefined && !Number.isSafeInteger(before)) throw invalidCursor();
    const rows = await this.db.manager.find(Review, {
      where: { task_id, ...(before === undefined ? {} : { attempt: LessThan(Number(before)) }) },
      order: { attempt: 'DESC' },
      take: limit + 1,
    });
    const page = Page.of(rows, limit, ({ attempt }) => [attempt]);
    return new Page(await reviewDtos(this.db.manager, page.items), page.next);
  }

  /** @throws DomainError `review_not_found` */
  async get(identity: Identity, id: number): Promise<ReviewDto> {
    return this.answer(this.db.manager, await this.find(identity, id));
  }

  /** @throws DomainError `review_not_found` */
  async comment(identity: Identity, id: number, dto: AddCommentDto): Promise<ReviewCommentDto> {
    const { org_id, team_id, task_id, attempt } = await this.find(identity, id);
    const author = speakerOf(identity, 'author', { id: dto.author_id, type: dto.author_type });
    const { correlation_id } = await this.tasks.get(task_id);
    return this.db.transaction(async (manager) => {
      const comment = await manager.save(
        manager.create(ReviewComment, {
          org_id,
          team_id,
          review_id: id,
          author_id: author.id,
          author_type: author.type,
          claimed: author.claimed,
          actor: identity.actor,
          file_path: dto.file_path ?? null,
          line_number: dto.line_number ?? null,
          content: dto.content,
        }),
      );
      await recordEvent(manager, {
        org_id,
        task_id,
        type: 'review.comment_added',
        data: { review_id: id, attempt, comment_id: comment.id },
        actor: identity.actor,
        correlation_id,
        ...(author.claimed === null ? {} : { claimed: author.claimed }),
      });
      return toCommentDto(comment);
    });
  }

  /** @throws DomainError `review_not_found`, `review_decided`, `reviewer_is_author` */
  async decide(identity: Identity, id: number, dto: GiveVerdictDto): Promise<ReviewDto> {
    const { task_id } = await this.find(identity, id);
    return this.verdict(identity, task_id, dto, (manager) => manager.findOneByOrFail(Review, { id }));
  }

  /**
   * Decides the task's newest review. Where that one has an agent's verdict, a person who decides makes a new one: the
   * agent's was the first look, the person's is the second.
   * @throws DomainError `task_not_found`, `review_not_found`, `review_decided`, `reviewer_is_author`
   */
  async decideNewest(identity: Identity, task_id: number, dto: GiveVerdictDto): Promise<ReviewDto> {
    await this.tasks.getReachable(identity, task_id);
    return this.verdict(identity, task_id, dto, async (manager, task) => {
      const newest = await newestReview(manager, task_id);
      if (newest === null) throw notFound('The task has no review');
      const { type } = speakerOf(identity, 'reviewer', { type: dto.reviewer_type });
      if (newest.verdict === null || newest.reviewer_type === 'user' || type === 'agent') return newest;
      const reviewer = identity.user_id === undefined ? null : { id: identity.user_id, type };
      return openReview(manager, identity, task, { reviewer });
    });
  }

  private async verdict(
    identity: Identity,
    task_id: number,
    dto: GiveVerdictDto,
    find: (manager: EntityManager, task: Task) => Promise<Review>,
  ): Promise<ReviewDto> {
    const commit = await this.standings.commitOf(this.db.manager, task_id);
    return this.withTask(task_id, async (manager, task) => {
      const review = await find(manager, task);
      const parts = { transitions: this.transitions, messages: this.messages, standings: this.standings };
      return giveVerdict(manager, identity, { task, review, commit }, dto, parts);
    });
  }

  private withTask(
    task_id: number,
    work: (manager: EntityManager, task: Task) => Promise<Review>,
  ): Promise<ReviewDto> {
    return this.db.transaction(async (manager) => {
      await lockToMove(manager, [task_id], false);
      return this.answer(manager, await work(manager, await lockTask(manager, task_id)));
    });
  }

  private async answer(manager: EntityManager, review: Review): Promise<ReviewDto> {
    const [dto] = await reviewDtos(manager, [review]);
    if (dto === undefined) throw new Error('the review is gone');
    return dto;
  }

  private async find(identity: Identity, id: number): Promise<Review> {
    const review = await this.db.manager.findOneBy(Review, { id, ...reachable(identity) });
    if (review === null) throw notFound('Review not found');
    return review;
  }
}

const notFound = (detail: string): DomainError => new DomainError('review_not_found', detail);
