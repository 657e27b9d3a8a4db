import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { DELETED, Deleted } from '../../http/deleted.js';
import { type Page, PageQuery } from '../../http/pagination.js';
import { UuidPipe } from '../../http/validation.js';
import { CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { Members } from './members.service.js';
import {
  AddMemberDto,
  CreateOrganizationDto,
  MemberDto,
  OrganizationDto,
  UpdateMemberDto,
} from './organizations.dto.js';
import { Organizations } from './organizations.service.js';

@ApiTags('organizations')
@Controller('orgs')
export class OrganizationsController {
  constructor(
    private readonly organizations: Organizations,
    private readonly members: Members,
  ) {}

  /** Makes an organization; the caller owns it. */
  @Post()
  create(
    @CurrentIdentity() identity: Identity,
    @Body() body: CreateOrganizationDto,
  ): Promise<OrganizationDto> {
    return this.organizations.create(identity, body);
  }

  /** The caller's organizations. */
  @Get()
  @ApiOkResponse({ type: [OrganizationDto] })
  list(@CurrentIdentity() identity: Identity, @Query() query: PageQuery): Promise<Page<OrganizationDto>> {
    return this.organizations.list(identity, query);
  }

  @Get(':org_id/members')
  @ApiOkResponse({ type: [MemberDto] })
  listMembers(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
    @Query() query: PageQuery,
  ): Promise<Page<MemberDto>> {
    return this.members.list(identity, org_id, query);
  }

  /** Adds a registered user. */
  @Post(':org_id/members')
  addMember(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
    @Body() body: AddMemberDto,
  ): Promise<MemberDto> {
    return this.members.add(identity, org_id, body);
  }

  @Patch(':org_id/members/:user_id')
  changeRole(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
    @Param('user_id', UuidPipe) user_id: string,
    @Body() body: UpdateMemberDto,
  ): Promise<MemberDto> {
    return this.members.changeRole(identity, org_id, user_id, body.role);
  }

  /** Removes a member; one's own id leaves. */
  @Delete(':org_id/members/:user_id')
  async removeMember(
    @CurrentIdentity() identity: Identity,
    @Param('org_id', UuidPipe) org_id: string,
    @Param('user_id', UuidPipe) user_id: string,
  ): Promise<Deleted> {
    await this.members.remove(identity, org_id, user_id);
    return DELETED;
  }
}
