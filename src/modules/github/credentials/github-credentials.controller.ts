import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Deleted } from '../../../http/deleted.js';
import { UuidPipe } from '../../../http/validation.js';
import { CurrentIdentity } from '../../auth/decorators.js';
import { type Identity } from '../../auth/identity.js';
import { GithubCredentialsDto, GithubTestDto, PutGithubCredentialsDto } from './github-credentials.dto.js';
import { GithubCredentials } from './github-credentials.service.js';
import { TestCredentials } from './test-credentials.js';

@ApiTags('github')
@Controller('orgs/:org_id/github-credentials')
export class GithubCredentialsController {
  constructor(
    private readonly credentials: GithubCredentials,
    private readonly tester: TestCredentials,
  ) {}

  @Put()
  @ApiOperation({
    summary: 'Save how the organization talks to GitHub: a token, or an installation of an App',
  })
  @ApiOkResponse({ type: GithubCredentialsDto })
  put(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
    @Body() body: PutGithubCredentialsDto,
  ): Promise<GithubCredentialsDto> {
    return this.credentials.put(identity, org_id, body);
  }

  @Get()
  @ApiOperation({ summary: 'The credentials, without what is secret' })
  @ApiOkResponse({ type: GithubCredentialsDto })
  get(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
  ): Promise<GithubCredentialsDto> {
    return this.credentials.get(identity, org_id);
  }

  @Delete()
  @ApiOkResponse({ type: Deleted })
  delete(@CurrentIdentity() identity: Identity, @Param('org_id', UuidPipe) org_id: string): Promise<Deleted> {
    return this.credentials.delete(identity, org_id);
  }

  @Post('test')
  @HttpCode(200)
  @ApiOperation({ summary: 'Ask GitHub whether it takes the credentials, and as whom' })
  @ApiOkResponse({ type: GithubTestDto })
  test(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
  ): Promise<GithubTestDto> {
    return this.tester.test(identity, org_id);
  }
}
