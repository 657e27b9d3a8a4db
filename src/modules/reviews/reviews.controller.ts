import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Page, PageQuery } from '../../http/pagination.js';
import { IntIdPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { Reviews } from './reviews.facade.js';
import {
  AddCommentDto,
  ApproveDto,
  GiveVerdictDto,
  RejectDto,
  RequestReviewDto,
  ReviewCommentDto,
  ReviewDto,
} from './reviews.dto.js';

@ApiTags('reviews')
@AgentRoute()
@Controller()
export class ReviewsController {
  constructor(private readonly reviews: Reviews) {}

  @Post('tasks/:task_id/reviews')
  @ApiOperation({ summary: 'Ask for a review: the next attempt. An agent that is asked is sent a message' })
  request(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Body() body: RequestReviewDto,
  ): Promise<ReviewDto> {
    return this.reviews.request(identity, task_id, body);
  }

  @Get('tasks/:task_id/reviews')
  @ApiOperation({ summary: "A task's reviews with their comments, newest first" })
  @ApiOkResponse({ type: [ReviewDto] })
  ofTask(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Query() query: PageQuery,
  ): Promise<Page<ReviewDto>> {
    return this.reviews.ofTask(identity, task_id, query);
  }

  @Get('reviews/:review_id')
  get(
    @CurrentIdentity() identity: Identity,
    @Param('review_id', IntIdPipe) review_id: number,
  ): Promise<ReviewDto> {
    return this.reviews.get(identity, review_id);
  }

  @Post('reviews/:review_id/comments')
  comment(
    @CurrentIdentity() identity: Identity,
    @Param('review_id', IntIdPipe) review_id: number,
    @Body() body: AddCommentDto,
  ): Promise<ReviewCommentDto> {
    return this.reviews.comment(identity, review_id, body);
  }

  @Post('reviews/:review_id/verdict')
  @HttpCode(200)
  @ApiOperation({
    summary:
      'Decide a review: `approve` lets its task go on, `request_changes` sends it back, `reject` is only kept',
  })
  decide(
    @CurrentIdentity() identity: Identity,
    @Param('review_id', IntIdPipe) review_id: number,
    @Body() body: GiveVerdictDto,
  ): Promise<ReviewDto> {
    return this.reviews.decide(identity, review_id, body);
  }

  @Post('tasks/:task_id/approve')
  @HttpCode(200)
  @ApiOperation({ summary: "Approve the task's newest review" })
  approve(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Body() body: ApproveDto,
  ): Promise<ReviewDto> {
    return this.reviews.decideNewest(identity, task_id, { ...body, verdict: 'approve' });
  }

  @Post('tasks/:task_id/reject')
  @HttpCode(200)
  @ApiOperation({ summary: "Reject the task's newest review" })
  reject(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
    @Body() body: RejectDto,
  ): Promise<ReviewDto> {
    return this.reviews.decideNewest(identity, task_id, { ...body, verdict: body.verdict ?? 'reject' });
  }
}
