import { Global, Module } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import { type Logger } from 'pino';
import { ResolvedSettings } from '../config/settings.js';
import { createLogger } from './create-logger.js';

/** The pino logger itself: for what logs without Nest's `Logger`, which ends in the same place. */
export const LOGGER = Symbol('pino logger');

@Global()
@Module({
  providers: [{ provide: LOGGER, inject: [ResolvedSettings], useFactory: createLogger }],
  exports: [LOGGER],
})
class PinoModule {}

/**
 * nestjs-pino carries Nest's own logger into pino. Its request middleware is not used: it makes two loggers for every
 * request, and does not see what is answered before Nest's routes.
 */
@Module({
  imports: [
    PinoModule,
    LoggerModule.forRootAsync({
      inject: [LOGGER],
      useFactory: (logger: Logger) => ({ pinoHttp: { logger }, useExisting: true, forRoutes: [] }),
    }),
  ],
})
export class LoggingModule {}
