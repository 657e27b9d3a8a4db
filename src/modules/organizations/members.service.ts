import { Injectable } from '@nestjs/common';
import { isUUID } from 'class-validator';
import { DataSource, type EntityManager } from 'typeorm';
import { violatesUnique } from '../../errors/database-errors.js';
import { DomainError } from '../../errors/domain-error.js';
import { decodeCursor, invalidCursor, MAX_PAGE, Page, type PageQuery } from '../../http/pagination.js';
import { type Identity } from '../auth/identity.js';
import { assertIsOwner, assertMayAdminister, assertNotAgent, assertReaches } from '../auth/permissions.js';
import { Accounts } from '../auth/users/accounts.service.js';
import { Membership, type MemberRole } from './membership.entity.js';
import { type AddMemberDto, type MemberDto } from './organizations.dto.js';

const LIST = `
  SELECT m.user_id, u.email, u.name, m.role, m.created_at
  FROM memberships m JOIN users u ON u.id = m.user_id
  WHERE m.org_id = $1 AND ($2::text IS NULL OR (u.email, u.id) > ($2, $3::uuid))
  ORDER BY u.email, u.id LIMIT $4`;

/** Who belongs to an organization. Admins decide on members and admins, owners on owners too. */
@Injectable()
export class Members {
  constructor(
    private readonly db: DataSource,
    private readonly accounts: Accounts,
  ) {}

  /** By email. */
  async list(identity: Identity, org_id: string, query: PageQuery): Promise<Page<MemberDto>> {
    assertReaches(identity, org_id);
    assertNotAgent(identity);
    const limit = query.limit ?? MAX_PAGE;
    const [email, user_id] = decodeCursor(query.cursor, 2) ?? [null, null];
    if (user_id !== null && !isUUID(user_id)) throw invalidCursor();
    const rows = await this.db.query<MemberDto[]>(LIST, [org_id, email, user_id, limit + 1]);
    return Page.of(rows, limit, (row) => [row.email, row.user_id]);
  }

  async add(identity: Identity, org_id: string, dto: AddMemberDto): Promise<MemberDto> {
    const role = dto.role ?? 'member';
    assertMayAdminister(identity, org_id);
    if (role === 'owner') assertIsOwner(identity, org_id);
    const user = await this.accounts.findByEmail(dto.email);
    const membership = this.db.manager.create(Membership, { org_id, user_id: user.id, role });
    try {
      await this.db.manager.insert(Membership, membership);
    } catch (error) {
      if (violatesUnique(error, 'memberships_pkey'))
        throw new DomainError('already_member', 'The user is already a member of the organization');
      throw error;
    }
    return { user_id: user.id, email: user.email, name: user.name, role, created_at: membership.created_at };
  }

  async changeRole(
    identity: Identity,
    org_id: string,
    user_id: string,
    role: MemberRole,
  ): Promise<MemberDto> {
    assertMayAdminister(identity, org_id);
    if (role === 'owner') assertIsOwner(identity, org_id);
    await this.oneByOne(org_id, async (manager) => {
      const membership = await this.get(manager, org_id, user_id);
      if (membership.role === 'owner' && role !== 'owner') {
        assertIsOwner(identity, org_id);
        await assertOtherOwner(manager, org_id);
      }
      await manager.update(Membership, { org_id, user_id }, { role });
    });
    const { email, name } = await this.accounts.get(user_id);
    const { created_at } = await this.get(this.db.manager, org_id, user_id);
    return { user_id, email, name, role, created_at };
  }

  /** Everybody may leave; removing others is for admins. */
  async remove(identity: Identity, org_id: string, user_id: string): Promise<void> {
    assertReaches(identity, org_id);
    const isLeaving = identity.user_id === user_id;
    if (!isLeaving) assertMayAdminister(identity, org_id);
    await this.oneByOne(org_id, async (manager) => {
      const membership = await this.get(manager, org_id, user_id);
      if (membership.role === 'owner') {
        if (!isLeaving) assertIsOwner(identity, org_id);
        await assertOtherOwner(manager, org_id);
      }
      await manager.delete(Membership, { org_id, user_id });
    });
  }

  /** Changes of one organization's members follow one another: two owners cannot leave at the same moment. */
  private oneByOne(org_id: string, work: (manager: EntityManager) => Promise<void>): Promise<void> {
    return this.db.transaction(async (manager) => {
      await manager.query('SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE', [org_id]);
      await work(manager);
    });
  }

  private async get(manager: EntityManager, org_id: string, user_id: string): Promise<Membership> {
    const membership = await manager.findOneBy(Membership, { org_id, user_id });
    if (membership === null) throw new DomainError('membership_not_found', 'Member not found');
    return membership;
  }
}

async function assertOtherOwner(manager: EntityManager, org_id: string): Promise<void> {
  if ((await manager.countBy(Membership, { org_id, role: 'owner' })) < 2)
    throw new DomainError('last_owner', 'An organization keeps at least one owner: make another one first');
}
