import { Global, Module } from '@nestjs/common';
import { NotificationListener } from './notification-listener.js';

/** Gives every module the one connection that LISTENs. */
@Global()
@Module({ providers: [NotificationListener], exports: [NotificationListener] })
export class ListenerModule {}
