import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { newId } from '../../../database/new-id.js';
import { violatesUnique } from '../../../errors/database-errors.js';
import { DomainError } from '../../../errors/domain-error.js';
import { type Identity } from '../identity.js';
import { User } from '../user.entity.js';
import { type LoginDto, type RegisterDto, type RegisteredUser, type WhoAmI } from './users.dto.js';
import { normalizeEmail } from './normalize-email.js';
import { checkPassword, hashPassword } from './passwords.js';
import { Sessions, type TokenPair } from './sessions.js';

/** The users of the service. */
@Injectable()
export class Accounts {
  constructor(
    @InjectRepository(User) private readonly users: Repository<User>,
    private readonly sessions: Sessions,
  ) {}

  async register({ email, name, password }: RegisterDto): Promise<RegisteredUser> {
    const user = this.users.create({ id: newId(), email: normalizeEmail(email), name });
    user.password_hash = await hashPassword(password);
    try {
      await this.users.insert(user);
    } catch (error) {
      if (violatesUnique(error, 'users_email_key'))
        throw new DomainError('email_taken', 'Email already registered');
      throw error;
    }
    return { id: user.id, email: user.email, name: user.name, created_at: user.created_at };
  }

  async login({ email, password }: LoginDto): Promise<TokenPair> {
    const user = await this.users.findOneBy({ email: normalizeEmail(email) });
    if (!(await checkPassword(user?.password_hash, password)) || user === null)
      throw new DomainError('invalid_credentials', 'Invalid credentials');
    return this.sessions.start(user.id);
  }

  /** @throws DomainError `user_not_found` */
  async findByEmail(email: string): Promise<User> {
    return found(await this.users.findOneBy({ email: normalizeEmail(email) }));
  }

  /** @throws DomainError `user_not_found` */
  async get(id: string): Promise<User> {
    return found(await this.users.findOneBy({ id }));
  }

  async describe(identity: Identity): Promise<WhoAmI> {
    if (identity.user_id === undefined)
      return {
        type: 'api_key',
        id: identity.api_key_id,
        org_id: identity.org_ids[0],
        scopes: identity.scopes,
        agent_id: identity.agent_id ?? null,
        team_id: identity.team_id ?? null,
      };
    const { id, email, name } = await this.get(identity.user_id);
    return { type: 'user', id, email, name };
  }
}

function found(user: User | null): User {
  if (user === null) throw new DomainError('user_not_found', 'User not found');
  return user;
}
