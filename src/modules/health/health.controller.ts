import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import { SkipThrottle } from '@nestjs/throttler';
import { Public } from '../auth/decorators.js';
import { Alive, DetailedHealth, Health, Ready } from './health.dto.js';
import { HealthService } from './health.service.js';

/** For load balancers and people; nothing here belongs to a tenant. */
@ApiTags('health')
@Public()
@SkipThrottle()
@Controller('health')
export class HealthController {
  constructor(private readonly health: HealthService) {}

  /** In short. */
  @Get()
  @ApiOperation({ security: [] })
  summary(): Promise<Health> {
    return this.health.summary();
  }

  /** The process answers: restart it when it does not. */
  @Get('live')
  @ApiOperation({ security: [] })
  live(): Alive {
    return { status: 'ok' };
  }

  /** 503 while the database or the listening connection is missing, or the dispatcher leaves startable tasks lying. */
  @Get('ready')
  @ApiServiceUnavailableResponse({ description: 'Not ready; `detail` says why' })
  @ApiOperation({ security: [] })
  async ready(): Promise<Ready> {
    await this.health.assertReady();
    return { status: 'ready' };
  }

  /** Part by part. */
  @Get('detailed')
  @ApiOperation({ security: [] })
  detailed(): Promise<DetailedHealth> {
    return this.health.detailed();
  }
}
