import { type DynamicModule, Module } from '@nestjs/common';
import { ConfigModule } from './config/config.module.js';
import { ResolvedSettings } from './config/settings.js';
import { DatabaseModule } from './database/database.module.js';
import { ListenerModule } from './database/listener.module.js';
import { ENTITIES } from './entities.js';
import { HttpClientModule } from './http-client/http-client.module.js';
import { LoggingModule } from './logging/logging.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { AgentsModule } from './modules/agents/agents.module.js';
import { AuthModule } from './modules/auth/auth.module.js';
import { BudgetsModule } from './modules/budgets/budgets.module.js';
import { DispatchModule } from './modules/dispatch/dispatch.module.js';
import { McpModule } from './modules/mcp/mcp.module.js';
import { NotificationsModule } from './modules/notifications/notifications.module.js';
import { HumanRequestsModule } from './modules/human-requests/human-requests.module.js';
import { GithubModule } from './modules/github/github.module.js';
import { OrganizationsModule } from './modules/organizations/organizations.module.js';
import { RepositoriesModule } from './modules/repositories/repositories.module.js';
import { SettingsModule } from './modules/settings/settings.module.js';
import { ReviewsModule } from './modules/reviews/reviews.module.js';
import { TeamsModule } from './modules/teams/teams.module.js';
import { TasksModule } from './modules/tasks/tasks.module.js';
import { WebhooksModule } from './modules/webhooks/webhooks.module.js';
import { MergesModule } from './modules/merges/merges.module.js';
import { PullRequestsModule } from './modules/pull-requests/pull-requests.module.js';
import { WorktreesModule } from './modules/worktrees/worktrees.module.js';
import { HealthModule } from './modules/health/health.module.js';
import { SecretsModule } from './secrets/secrets.module.js';

/** The whole service. Reading this list is reading the architecture. */
@Module({})
export class AppModule {
  static register(settings: ResolvedSettings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.register(settings),
        LoggingModule,
        DatabaseModule.register(ENTITIES),
        ListenerModule,
        HttpClientModule,
        SecretsModule,
        MetricsModule,
        AuthModule,
        OrganizationsModule,
        TeamsModule,
        AgentsModule,
        RepositoriesModule,
        SettingsModule,
        TasksModule,
        BudgetsModule,
        DispatchModule,
        WorktreesModule,
        ReviewsModule,
        MergesModule,
        HumanRequestsModule,
        WebhooksModule,
        NotificationsModule,
        GithubModule,
        PullRequestsModule,
        McpModule,
        HealthModule,
      ],
    };
  }
}
