import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Accounts } from './accounts.js';
import { CurrentIdentity } from './decorators.js';
import { type Identity } from './identity.js';

@ApiTags('auth')
@Controller('auth')
export class AuthController {
  constructor(private readonly accounts: Accounts) {}

  @Get('me')
  @ApiOperation({ summary: 'Who the credential belongs to' })
  me(@CurrentIdentity() identity: Identity): Promise<object> {
    return this.accounts.describe(identity);
  }
}
