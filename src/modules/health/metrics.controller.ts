import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { SkipThrottle } from '@nestjs/throttler';
import { type Request, type Response } from 'express';
import { createHash, timingSafeEqual } from 'node:crypto';
import { ResolvedSettings } from '../../config/settings.js';
import { DomainError } from '../../errors/domain-error.js';
import { Metrics } from '../../metrics/metrics.js';
import { Public } from '../auth/decorators.js';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** In Prometheus' text format, outside /api/v1. Open unless ENTOURAGE_METRICS_TOKEN is set: it names no tenant. */
@ApiExcludeController()
@Public()
@SkipThrottle()
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    private readonly settings: ResolvedSettings,
  ) {}

  @Get()
  async read(@Req() request: Request, @Res() response: Response): Promise<void> {
    const token = this.settings.ENTOURAGE_METRICS_TOKEN;
    const given = request.get('authorization') ?? '';
    if (token !== undefined && !timingSafeEqual(digest(given), digest(`Bearer ${token}`)))
      throw new DomainError('authentication_required', 'Authentication required');
    const { registry } = this.metrics;
    response.type(registry.contentType).send(await registry.metrics());
  }
}
