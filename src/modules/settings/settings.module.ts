import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { OrganizationsModule } from '../organizations/organizations.module.js';
import { TeamsModule } from '../teams/teams.module.js';
import { Conventions } from './conventions.service.js';
import { ConventionsController } from './conventions.controller.js';
import { SettingsController } from './settings.controller.js';
import { TeamSettings } from './settings.facade.js';
import { TeamConvention } from './team-convention.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([TeamConvention]), OrganizationsModule, TeamsModule],
  controllers: [SettingsController, ConventionsController],
  providers: [TeamSettings, Conventions],
  exports: [TeamSettings],
})
export class SettingsModule {}
