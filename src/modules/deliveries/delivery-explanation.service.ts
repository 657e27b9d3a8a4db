import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Agent } from '../agents/agent.entity.js';
import { AgentRun } from '../dispatch/agent-run.entity.js';
import { Task } from '../tasks/task.entity.js';
import { type Delivery } from './delivery.entity.js';
import { type ExplanationDto } from './explanation.dto.js';

/** Tells why a delivery had the effect it had, from what was decided then and from its task and run as they are now. */
@Injectable()
export class DeliveryExplanation {
  constructor(private readonly db: DataSource) {}

  async of(row: Delivery): Promise<ExplanationDto> {
    const { signature, filters, warnings, assignment } = row.decision;
    const task =
      row.task_id === null
        ? null
        : await this.db.getRepository(Task).findOneBy({ id: row.task_id, org_id: row.org_id });
    const run =
      task === null
        ? null
        : await this.db
            .getRepository(AgentRun)
            .findOne({ where: { task_id: task.id, org_id: row.org_id }, order: { attempt: 'DESC' } });
    const worker = run === null ? null : await this.db.getRepository(Agent).findOneBy({ id: run.agent_id });
    return {
      delivery_id: row.id,
      event_type: row.event_type,
      signature: signature ?? 'missing',
      filters: filters ?? [],
      warnings: warnings ?? [],
      outcome: { status: row.status, reason: row.reason, error: row.error, actions: row.actions },
      task: task === null ? null : explainedTask(task),
      assignment: assignment
        ? {
            agent:
              assignment.agent_id === null ? null : { id: assignment.agent_id, name: assignment.agent_name },
            why: assignment.reason,
          }
        : null,
      run: run === null ? null : explainedRun(run, worker),
    };
  }
}

const explainedTask = ({
  id,
  title,
  status,
  priority,
  assignee_id,
  hold_reason,
}: Task): NonNullable<ExplanationDto['task']> => ({ id, title, status, priority, assignee_id, hold_reason });

const explainedRun = (run: AgentRun, worker: Agent | null): NonNullable<ExplanationDto['run']> => ({
  id: run.id,
  status: run.status,
  attempt: run.attempt,
  agent_id: run.agent_id,
  agent_name: worker?.name ?? null,
  started_at: run.started_at,
  finished_at: run.finished_at,
  error: run.error,
});
