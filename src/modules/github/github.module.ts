import { Module } from '@nestjs/common';
import { DeliveriesModule } from '../deliveries/deliveries.module.js';
import { TasksModule } from '../tasks/tasks.module.js';
import { WebhooksModule } from '../webhooks/webhooks.module.js';
import { GithubClients } from './client/github-clients.js';
import { CredentialStore } from './credentials/credential-store.js';
import { GithubCredentialsController } from './credentials/github-credentials.controller.js';
import { GithubCredentials } from './credentials/github-credentials.service.js';
import { TestCredentials } from './credentials/test-credentials.js';
import { CheckWebhook } from './repair/check-webhook.js';
import { RepairLoop } from './repair/repair-loop.js';
import { RepairWebhook } from './repair/repair-webhook.js';
import { RepairController } from './repair/repair.controller.js';
import { ReconcileComment } from './write-back/reconcile-comment.js';
import { Subjects } from './write-back/subject.js';
import { WriteBackRows } from './write-back/write-back-rows.js';
import { WriteBackWorker } from './write-back/write-back-worker.js';
import { WriteBack } from './write-back/write-back.js';
import { WriteBacksController } from './write-back/write-backs.controller.js';
import { WriteBacks } from './write-back/write-backs.service.js';

@Module({
  imports: [DeliveriesModule, TasksModule, WebhooksModule],
  controllers: [GithubCredentialsController, WriteBacksController, RepairController],
  providers: [
    CredentialStore,
    GithubCredentials,
    TestCredentials,
    GithubClients,
    WriteBackRows,
    Subjects,
    ReconcileComment,
    WriteBack,
    WriteBackWorker,
    WriteBacks,
    CheckWebhook,
    RepairLoop,
    RepairWebhook,
  ],
  exports: [GithubClients],
})
export class GithubModule {}
