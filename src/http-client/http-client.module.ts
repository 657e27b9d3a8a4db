import { Global, Module } from '@nestjs/common';
import { OutboundHttp } from './outbound-http.js';

/** The one way out to systems of others. */
@Global()
@Module({ providers: [OutboundHttp], exports: [OutboundHttp] })
export class HttpClientModule {}
