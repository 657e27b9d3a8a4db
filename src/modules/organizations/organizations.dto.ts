import { IsIn, IsOptional, Matches } from 'class-validator';
import { Text } from '../../http/fields.js';
import { MEMBER_ROLES, type MemberRole } from './membership.entity.js';

export class CreateOrganizationDto {
  @Text(1, 100)
  name: string;

  /** Unique in the whole service. */
  @Matches(/^[a-z0-9-]+$/, { message: 'slug must be lower-case letters, digits and hyphens' })
  @Text(1, 100)
  slug: string;
}

export class OrganizationDto {
  id: string;
  name: string;
  slug: string;
  created_at: Date;
}

export class AddMemberDto {
  /** Of a registered user. */
  @Text(1, 1024)
  email: string;

  /** Default `member`. */
  @IsOptional()
  @IsIn(MEMBER_ROLES)
  role?: MemberRole;
}

export class UpdateMemberDto {
  @IsIn(MEMBER_ROLES)
  role: MemberRole;
}

export class MemberDto {
  user_id: string;
  email: string;
  name: string;
  role: MemberRole;
  created_at: Date;
}
