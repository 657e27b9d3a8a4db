import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { once } from 'node:events';
import { type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { ResolvedSettings } from '../config/settings.js';

/** What one can call on this machine to reach who listens there. */
export function urlOf({ address, port, family }: AddressInfo): string {
  const host = address === '::' || address === '0.0.0.0' ? 'localhost' : address;
  return `http://${family === 'IPv6' && host === address ? `[${host}]` : host}:${port}`;
}

/** Where programs that the service starts reach it. */
@Injectable()
export class ServiceAddress implements OnApplicationBootstrap {
  private own: Promise<string> | undefined;

  constructor(
    private readonly settings: ResolvedSettings,
    private readonly adapter: HttpAdapterHost,
  ) {}

  onApplicationBootstrap(): void {
    // Whoever awaits it is told of a failure; until then nobody is there to be.
    this.ownUrl().catch(() => undefined);
  }

  /** Without a slash at its end. Work may begin before the service listens: then it is waited for. */
  url(): Promise<string> {
    const { ENTOURAGE_PUBLIC_URL } = this.settings;
    return ENTOURAGE_PUBLIC_URL === undefined
      ? this.ownUrl()
      : Promise.resolve(ENTOURAGE_PUBLIC_URL.replace(/\/+$/, ''));
  }

  /** Kept from when the server began to listen: while it is shut down it has none, and work that was begun still asks. */
  private ownUrl(): Promise<string> {
    return (this.own ??= this.listening());
  }

  private async listening(): Promise<string> {
    const server = this.adapter.httpAdapter.getHttpServer() as Server;
    if (!server.listening) await once(server, 'listening');
    return urlOf(server.address() as AddressInfo);
  }
}
