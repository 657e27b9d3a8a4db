import { Matches } from 'class-validator';
import { Text } from '../../http/fields.js';
import { AgentDto } from '../agents/agents.dto.js';
import { RepositoryDto } from '../repositories/repositories.dto.js';

export class CreateTeamDto {
  @Text(1, 100)
  name: string;

  /** Unique in the organization. */
  @Matches(/^[a-z0-9-]+$/, { message: 'slug must be lower-case letters, digits and hyphens' })
  @Text(1, 100)
  slug: string;
}

export class TeamDto {
  id: string;
  org_id: string;
  name: string;
  slug: string;
  created_at: Date;
}

export class TeamDetailDto extends TeamDto {
  agents: AgentDto[];
  repositories: RepositoryDto[];
}
