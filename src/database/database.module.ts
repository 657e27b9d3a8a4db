import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ResolvedSettings } from '../config/settings.js';
import { connectionOptions, type Entities } from './connection-options.js';

@Module({})
export class DatabaseModule {
  static register(entities: Entities): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [
        TypeOrmModule.forRootAsync({
          inject: [ResolvedSettings],
          useFactory: (settings: ResolvedSettings) => ({
            ...connectionOptions(
              settings.DATABASE_URL,
              entities,
              settings.ENTOURAGE_DB_POOL_SIZE,
              ![undefined, settings.DATABASE_URL].includes(settings.DATABASE_DIRECT_URL),
            ),
            retryAttempts: 3,
            retryDelay: 1000,
          }),
        }),
      ],
    };
  }
}
