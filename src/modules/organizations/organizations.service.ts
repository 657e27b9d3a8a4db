import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Repository } from 'typeorm';
import { newId } from '../../database/new-id.js';
import { pageByName } from '../../database/page-by-name.js';
import { violatesUnique } from '../../errors/database-errors.js';
import { DomainError } from '../../errors/domain-error.js';
import { type Page, type PageQuery } from '../../http/pagination.js';
import { type Identity } from '../auth/identity.js';
import { assertReaches } from '../auth/permissions.js';
import { Membership } from './membership.entity.js';
import { Organization } from './organization.entity.js';
import { type CreateOrganizationDto, type OrganizationDto } from './organizations.dto.js';

/** The tenants. */
@Injectable()
export class Organizations {
  constructor(@InjectRepository(Organization) private readonly organizations: Repository<Organization>) {}

  /** Makes an organization that its maker owns. */
  async create(identity: Identity, { name, slug }: CreateOrganizationDto): Promise<OrganizationDto> {
    const { user_id } = identity;
    if (user_id === undefined)
      throw new DomainError(
        'forbidden',
        'An API key reaches its own organization only: log in to make another',
      );
    const organization = this.organizations.create({ id: newId(), name, slug });
    try {
      await this.organizations.manager.transaction(async (manager) => {
        await manager.insert(Organization, organization);
        await manager.insert(Membership, { org_id: organization.id, user_id, role: 'owner' });
      });
    } catch (error) {
      if (violatesUnique(error, 'organizations_slug_key'))
        throw new DomainError('slug_taken', 'An organization with this slug already exists');
      throw error;
    }
    return organization;
  }

  async list(identity: Identity, query: PageQuery): Promise<Page<OrganizationDto>> {
    const rows = this.organizations.createQueryBuilder('organization').where({ id: In(identity.org_ids) });
    return pageByName(rows, query);
  }

  /** @throws DomainError `organization_not_found` */
  async getReachable(identity: Identity, id: string): Promise<Organization> {
    assertReaches(identity, id);
    return this.organizations.findOneByOrFail({ id });
  }
}
