import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { FoundRepositoryDto, RepositoryVerdictDto, ValidateRepositoryDto } from './repositories.dto.js';
import { Repositories } from './repositories.service.js';

@ApiTags('repositories')
@Controller('repos')
export class RepositoriesController {
  constructor(private readonly repositories: Repositories) {}

  /** Whether a path on the server is a repository that can be registered. */
  @Post('validate')
  @HttpCode(200)
  validate(
    @CurrentIdentity() identity: Identity,
    @Body() body: ValidateRepositoryDto,
  ): Promise<RepositoryVerdictDto> {
    return this.repositories.validate(identity, body.local_path);
  }

  /** Repositories on the server's disk that can be registered. */
  @Get('scan')
  scan(@CurrentIdentity() identity: Identity): Promise<FoundRepositoryDto[]> {
    return this.repositories.scan(identity);
  }
}
