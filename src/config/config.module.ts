import { type DynamicModule, Global, Module } from '@nestjs/common';
import { ResolvedSettings } from './settings.js';

/** Gives every module the one parsed `ResolvedSettings`. */
@Global()
@Module({})
export class ConfigModule {
  static register(settings: ResolvedSettings): DynamicModule {
    return {
      module: ConfigModule,
      providers: [{ provide: ResolvedSettings, useValue: settings }],
      exports: [ResolvedSettings],
    };
  }
}
