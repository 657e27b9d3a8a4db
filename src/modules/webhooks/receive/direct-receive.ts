import { Injectable } from '@nestjs/common';
import { type NextFunction, type Request, type Response } from 'express';
import { RawBodyInterceptor, type RawRequest } from './raw-body.interceptor.js';
import { ReceiveService } from './receive.service.js';

/** The address exactly as it is handed out; any other way to write it goes to the controller. */
const ADDRESS = /^\/api\/v1\/webhooks\/([0-9a-f-]{36})\/receive$/;

/**
 * Takes deliveries ahead of the router: matching a few hundred routes, Nest's execution context and Express's `json()`
 * cost as much as all the rest of a delivery (ADR 15). What is done with it is the same as in the controller.
 */
@Injectable()
export class DirectReceive {
  constructor(
    private readonly bodies: RawBodyInterceptor,
    private readonly receiver: ReceiveService,
  ) {}

  handle(request: Request, response: Response, next: NextFunction): void {
    const webhook_id = request.method === 'POST' ? ADDRESS.exec(request.url)?.[1] : undefined;
    if (webhook_id === undefined) next();
    else this.answer(request as RawRequest, response, webhook_id).catch(next);
  }

  private async answer(request: RawRequest, response: Response, webhook_id: string): Promise<void> {
    const answer = await this.bodies.around(request, response, webhook_id, () =>
      this.receiver.receive(request),
    );
    const body = Buffer.from(JSON.stringify(answer));
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.setHeader('Content-Length', body.length);
    response.end(body);
  }
}
