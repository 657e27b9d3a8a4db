import { Controller, Get, Param } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { IntIdPipe } from '../../../http/validation.js';
import { CurrentIdentity } from '../../auth/decorators.js';
import { type Identity } from '../../auth/identity.js';
import { WriteBackDto } from './write-back.dto.js';
import { WriteBacks } from './write-backs.service.js';

@ApiTags('github')
@Controller('tasks/:task_id/write-back')
export class WriteBacksController {
  constructor(private readonly writeBacks: WriteBacks) {}

  @Get()
  @ApiOperation({ summary: 'How far GitHub has been told of a task' })
  @ApiOkResponse({ type: WriteBackDto })
  get(
    @CurrentIdentity() identity: Identity,
    @Param('task_id', IntIdPipe) task_id: number,
  ): Promise<WriteBackDto> {
    return this.writeBacks.get(identity, task_id);
  }
}
