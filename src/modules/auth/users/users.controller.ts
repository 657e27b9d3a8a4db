import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { AgentRoute, CurrentIdentity, Public } from '../decorators.js';
import { type Identity } from '../identity.js';
import { RateLimited } from '../rate-limits/rate-limited.js';
import { Accounts } from './accounts.service.js';
import { Sessions } from './sessions.js';
import { LoginDto, RefreshDto, RegisterDto, RegisteredUser, TokenPairDto, WhoAmI } from './users.dto.js';

@ApiTags('auth')
@Controller('auth')
export class UsersController {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
  ) {}

  /** Opens an account. It reaches nothing until it makes an organization or is added to one. */
  @Public()
  @RateLimited('login')
  @Post('register')
  @ApiOperation({ security: [] })
  register(@Body() body: RegisterDto): Promise<RegisteredUser> {
    return this.accounts.register(body);
  }

  @Public()
  @RateLimited('login')
  @Post('login')
  @HttpCode(200)
  @ApiOperation({ security: [] })
  login(@Body() body: LoginDto): Promise<TokenPairDto> {
    return this.accounts.login(body);
  }

  /** Exchanges a refresh token for a new pair. Each works once; a second use ends every token that came of the login. */
  @Public()
  @RateLimited('caller')
  @Post('refresh')
  @HttpCode(200)
  @ApiOperation({ security: [] })
  refresh(@Body() body: RefreshDto): Promise<TokenPairDto> {
    return this.sessions.refresh(body.refresh_token);
  }

  /** Who the credential belongs to. */
  @AgentRoute()
  @Get('me')
  me(@CurrentIdentity() identity: Identity): Promise<WhoAmI> {
    return this.accounts.describe(identity);
  }
}
