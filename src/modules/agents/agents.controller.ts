import { Body, Controller, Get, Param, Patch } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { UuidPipe } from '../../http/validation.js';
import { AgentRoute, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { AgentDto, UpdateAgentDto } from './agents.dto.js';
import { Agents, toAgentDto } from './agents.service.js';
import { UpdateAgent } from './update-agent.js';

@ApiTags('agents')
@Controller('agents')
export class AgentsController {
  constructor(
    private readonly agents: Agents,
    private readonly updateAgent: UpdateAgent,
  ) {}

  @AgentRoute()
  @Get(':agent_id')
  async get(
    @CurrentIdentity() identity: Identity,
    @Param('agent_id', UuidPipe) agent_id: string,
  ): Promise<AgentDto> {
    return toAgentDto(await this.agents.getReachable(identity, agent_id));
  }

  /** Changes an agent; pauses it and sets it to work again. */
  @Patch(':agent_id')
  update(
    @CurrentIdentity() identity: Identity,
    @Param('agent_id', UuidPipe) agent_id: string,
    @Body() body: UpdateAgentDto,
  ): Promise<AgentDto> {
    return this.updateAgent.update(identity, agent_id, body);
  }
}
