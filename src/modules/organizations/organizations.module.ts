import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from '../auth/auth.module.js';
import { Members } from './members.service.js';
import { Membership } from './membership.entity.js';
import { Organization } from './organization.entity.js';
import { OrganizationsController } from './organizations.controller.js';
import { Organizations } from './organizations.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Organization, Membership]), AuthModule],
  controllers: [OrganizationsController],
  providers: [Organizations, Members],
  exports: [Organizations],
})
export class OrganizationsModule {}
