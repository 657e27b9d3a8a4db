import { Injectable } from '@nestjs/common';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AllowedCommand, commandEnvironment, Commands } from '../../../config/commands.js';
import { ResolvedSettings } from '../../../config/settings.js';
import { ServiceAddress } from '../../../http/service-address.js';
import { RunKeys } from '../run-keys.js';
import { GuardedProgram } from './guarded-program.js';
import { type Assignment, RunNotStarted, type Runtime, type SupervisedRun } from './runtime.js';

const GRACE_MS = 5_000;
/** A key outlives its program's time limit by as much as stopping and reporting may take. */
const KEY_MARGIN_SECONDS = 60;

/** Starts a program of the operator's allow-list: prompt on its standard input, exit code 0 is success. */
@Injectable()
export class CommandRuntime implements Runtime {
  constructor(
    private readonly commands: Commands,
    private readonly settings: ResolvedSettings,
    private readonly keys: RunKeys,
    private readonly address: ServiceAddress,
  ) {}

  async start(assignment: Assignment): Promise<SupervisedRun> {
    const { command: name, timeout_seconds } = assignment.agent.runtime_config;
    const command = typeof name === 'string' ? this.commands.get(name) : undefined;
    if (command === undefined) throw new RunNotStarted(this.unknown(name));
    const seconds =
      typeof timeout_seconds === 'number'
        ? Math.min(timeout_seconds, command.timeout_seconds)
        : command.timeout_seconds;
    const asked = performance.now();
    const url = await this.address.url();
    const key = await this.keys.make(assignment.run, seconds + KEY_MARGIN_SECONDS);
    const cwd = command.cwd ?? (await mkdtemp(join(tmpdir(), 'entourage-run-')));
    const program = new GuardedProgram(
      {
        order: 'start',
        run_id: assignment.run.id,
        earlier_run_ids: assignment.earlier_run_ids,
        argv: command.argv,
        env: this.environment(command, assignment, url, key),
        cwd,
        prompt: assignment.prompt,
        lease_ms: Math.max(1, assignment.lease_ms - (performance.now() - asked)),
        grace_ms: GRACE_MS,
      },
      key,
    );
    if (command.cwd === null)
      void program.ended.then(() => rm(cwd, { recursive: true, force: true })).catch(() => undefined);
    return Object.assign(program, { timeout_ms: seconds * 1000 });
  }

  private unknown(name: unknown): string {
    return typeof name === 'string'
      ? `The command "${name}" is not in the list of ENTOURAGE_COMMANDS_FILE`
      : 'The agent has the runtime "command" but names no command';
  }

  private environment(
    command: AllowedCommand,
    { run, agent, task }: Assignment,
    url: string,
    key: string,
  ): Record<string, string> {
    const public_url = this.settings.ENTOURAGE_PUBLIC_URL;
    return {
      ...commandEnvironment(command),
      ENTOURAGE_RUN_ID: run.id,
      ENTOURAGE_TASK_ID: String(task.id),
      ENTOURAGE_TEAM_ID: run.team_id,
      ENTOURAGE_AGENT_ID: agent.id,
      ENTOURAGE_ATTEMPT: String(run.attempt),
      ENTOURAGE_BRANCH: task.branch,
      ENTOURAGE_MODEL: agent.model,
      ENTOURAGE_FENCING_TOKEN: String(run.fencing_token),
      ENTOURAGE_API_URL: url,
      ENTOURAGE_MCP_URL: `${url}/mcp`,
      ENTOURAGE_API_KEY: key,
      ...(public_url === undefined ? {} : { ENTOURAGE_URL: public_url }),
    };
  }
}
