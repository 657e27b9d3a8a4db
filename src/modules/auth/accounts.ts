import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { type Identity } from './identity.js';
import { User } from './user.entity.js';

/** The users of the service. */
@Injectable()
export class Accounts {
  constructor(@InjectRepository(User) private readonly users: Repository<User>) {}

  async describe(identity: Identity): Promise<object> {
    if (identity.user_id === undefined)
      return {
        type: 'api_key',
        id: identity.api_key_id,
        org_id: identity.org_ids[0],
        scopes: identity.scopes,
        agent_id: identity.agent_id ?? null,
        team_id: identity.team_id ?? null,
      };
    const user = await this.users.findOneBy({ id: identity.user_id });
    if (user === null) throw new DomainError('user_not_found', 'User not found');
    return { type: 'user', id: user.id, email: user.email, name: user.name };
  }
}
