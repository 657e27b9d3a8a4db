import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ResolvedSettings } from '../../config/settings.js';
import { AgentsModule } from '../agents/agents.module.js';
import { ApiKey } from './api-key.entity.js';
import { ApiKeyStrategy } from './api-keys/api-key.strategy.js';
import { ApiKeys } from './api-keys/api-keys.service.js';
import { ApiKeysController } from './api-keys/api-keys.controller.js';
import { KeyUsage } from './api-keys/key-usage.js';
import { AuthGuard } from './auth.guard.js';
import { Authenticator } from './authenticator.js';
import { RateLimiter } from './rate-limits/rate-limiter.js';
import { User } from './user.entity.js';
import { Accounts } from './users/accounts.service.js';
import { JwtStrategy } from './users/jwt.strategy.js';
import { Sessions } from './users/sessions.js';
import { Tokens } from './users/tokens.js';
import { UsersController } from './users/users.controller.js';

@Module({
  imports: [
    AgentsModule,
    TypeOrmModule.forFeature([User, ApiKey]),
    JwtModule.registerAsync({
      inject: [ResolvedSettings],
      useFactory: (settings: ResolvedSettings) => ({ secret: settings.ENTOURAGE_JWT_SECRET }),
    }),
  ],
  controllers: [UsersController, ApiKeysController],
  providers: [
    Accounts,
    Sessions,
    Tokens,
    ApiKeys,
    KeyUsage,
    ApiKeyStrategy,
    JwtStrategy,
    Authenticator,
    RateLimiter,
    { provide: APP_GUARD, useClass: AuthGuard },
  ],
  exports: [Authenticator, Accounts],
})
export class AuthModule {}
