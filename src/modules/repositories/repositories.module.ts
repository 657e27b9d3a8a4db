import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { BlankGitDirectory } from './blank-git-directory.js';
import { GitRepositories } from './git-repositories.service.js';
import { RepositoriesController } from './repositories.controller.js';
import { Repositories } from './repositories.service.js';
import { RepositoryPaths } from './repository-paths.js';
import { CodeRepository } from './repository.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([CodeRepository])],
  controllers: [RepositoriesController],
  providers: [Repositories, RepositoryPaths, BlankGitDirectory, GitRepositories],
  exports: [Repositories, GitRepositories],
})
export class RepositoriesModule {}
