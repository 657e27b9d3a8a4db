import { Injectable, Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { isDatabaseUnavailable } from '../../errors/database-errors.js';
import { DomainError } from '../../errors/domain-error.js';
import { type AgentRuntime } from '../agents/agent.entity.js';
import { IS_ACTIVE } from './active-run.js';
import { buildPrompt } from './build-prompt.js';
import { type ClaimedRun } from './claim-run.js';
import { type RunRef, type RunResult } from './finish-run.js';
import { loadPromptMaterial } from './load-prompt-material.js';
import { readUsage } from './read-usage.js';
import { RunLifecycle } from './run-lifecycle.js';
import { CommandRuntime } from './runtimes/command-runtime.js';
import { HttpRuntime } from './runtimes/http-runtime.js';
import { type Assignment, RunNotStarted, type Runtime, type SupervisedRun } from './runtimes/runtime.js';

type StopReason = 'cancel' | 'timeout' | 'shutdown';

interface Active {
  ref: RunRef;
  run: SupervisedRun;
  stopped: StopReason | null;
}

/** Starts claimed runs in their runtime and stays with them to their end. */
@Injectable()
export class RunSupervisor {
  private readonly logger = new Logger(RunSupervisor.name);
  private readonly runtimes: Partial<Record<AgentRuntime, Runtime>>;
  private readonly active = new Map<string, Active>();
  private readonly ending = new Set<Promise<void>>();
  private shuttingDown = false;

  constructor(
    private readonly db: DataSource,
    private readonly lifecycle: RunLifecycle,
    command: CommandRuntime,
    http: HttpRuntime,
  ) {
    this.runtimes = { command, http };
  }

  /** Runs that take a place here: those being started and those being watched. */
  get occupied(): number {
    return this.ending.size;
  }

  /** Watches over the run from now on; `done` is called when its place is free. */
  supervise(claimed: ClaimedRun, done: () => void): void {
    const work = this.carry(claimed)
      .catch((error: unknown) => {
        if (!(error instanceof DomainError))
          this.logger.error({ err: error, run_id: claimed.run_id }, 'a run was lost');
      })
      .finally(() => {
        this.active.delete(claimed.run_id);
        this.ending.delete(work);
        done();
      });
    this.ending.add(work);
  }

  /** Stops those of the runs that were asked to stop; `*` looks at all of them. */
  async stopCancelled(ids: string[] | '*'): Promise<void> {
    const mine = [...this.active.keys()].filter((id) => ids === '*' || ids.includes(id));
    if (mine.length === 0) return;
    const cancelled = await this.db.query<{ id: string }[]>(
      `SELECT id FROM agent_runs WHERE id = ANY($1) AND cancel_requested_at IS NOT NULL AND ${IS_ACTIVE}`,
      [mine],
    );
    for (const { id } of cancelled) this.stop(id, 'cancel');
  }

  /** Lets the runs finish for a while, then stops them; their tasks go back. */
  async shutdown(grace_ms: number): Promise<void> {
    this.shuttingDown = true;
    const ended = (): Promise<unknown> => Promise.allSettled(this.ending);
    let patience: NodeJS.Timeout | undefined;
    await Promise.race([ended(), new Promise((done) => (patience = setTimeout(done, grace_ms)))]);
    clearTimeout(patience);
    for (const id of this.active.keys()) this.stop(id, 'shutdown');
    await ended();
  }

  private stop(id: string, reason: StopReason): void {
    const active = this.active.get(id);
    if (active === undefined) return;
    active.stopped ??= reason;
    active.run.stop();
  }

  private async carry(claimed: ClaimedRun): Promise<void> {
    const ref = { id: claimed.run_id, fencing_token: claimed.fencing_token };
    let run: SupervisedRun | null;
    try {
      run = await this.start(claimed, ref);
    } catch (error) {
      if (error instanceof DomainError) throw error;
      if (!(error instanceof RunNotStarted))
        this.logger.error({ err: error, run_id: claimed.run_id }, 'a run could not be started');
      const reason = error instanceof RunNotStarted ? error.message : 'The run could not be started';
      await this.settle(ref, { status: 'failed', error: reason });
      return;
    }
    if (run === null) return;
    const active: Active = { ref, run, stopped: null };
    this.active.set(ref.id, active);
    const timeout = setTimeout(() => this.stop(ref.id, 'timeout'), run.timeout_ms);
    const beating = this.beat(active);
    if (this.shuttingDown) this.stop(ref.id, 'shutdown');
    const end = await run.ended;
    clearTimeout(timeout);
    clearInterval(beating);
    const result = resultOf(end, active.stopped, run.timeout_ms);
    await this.settle(ref, { ...result, usage: readUsage(end.output) });
  }

  private async start(claimed: ClaimedRun, ref: RunRef): Promise<SupervisedRun | null> {
    const runtime = this.runtimes[claimed.runtime];
    if (runtime === undefined)
      throw new RunNotStarted(`The runtime "${claimed.runtime}" is not started here`);
    const assignment = await this.persevere(ref, isDatabaseUnavailable, () => this.prepare(claimed, ref));
    if (assignment !== null) return runtime.start(assignment);
    await this.settle(ref, { status: 'cancelled' });
    return null;
  }

  /** @returns null when the run was cancelled before it began. */
  private async prepare(claimed: ClaimedRun, ref: RunRef): Promise<Assignment | null> {
    const material = await loadPromptMaterial(this.db.manager, ref.id);
    if (material === null) throw new RunNotStarted('The run had ended before it began');
    const prompt = buildPrompt(material.prompt, randomBytes(12).toString('hex'));
    const asked = performance.now();
    if (!(await this.lifecycle.keepPrompt(ref, prompt.text, prompt.message_ids))) return null;
    return {
      run: { ...claimed, id: claimed.run_id },
      agent: material.agent,
      task: material.task,
      prompt: prompt.text,
      earlier_run_ids: material.earlier_run_ids,
      lease_ms: this.leaseLeft(asked),
      lease_seconds: this.lifecycle.leaseSeconds,
    };
  }

  /** How long a lease asked for at that moment lasts for sure: a tenth of it is kept for ending the program in time. */
  private leaseLeft(asked: number): number {
    return Math.max(1, this.lifecycle.leaseSeconds * 900 - (performance.now() - asked));
  }

  /** Reports signs of life for the program, three to a lease. */
  private beat(active: Active): NodeJS.Timeout {
    const lease_ms = this.lifecycle.leaseSeconds * 1000;
    const once = async (): Promise<void> => {
      const asked = performance.now();
      try {
        const answer = await this.lifecycle.heartbeat(active.ref);
        if (answer.cancel_requested) this.stop(active.ref.id, 'cancel');
        else active.run.renewed(this.leaseLeft(asked));
      } catch (error) {
        if (error instanceof DomainError) active.run.kill();
        // Without the database the lease runs out, and the guard ends the program by itself.
        else this.logger.warn({ err: error, run_id: active.ref.id }, 'a heartbeat failed');
      }
    };
    void once();
    return setInterval(() => void once(), lease_ms / 3);
  }

  private settle(ref: RunRef, result: RunResult): Promise<unknown> {
    return this.persevere(
      ref,
      (error) => !(error instanceof DomainError),
      () => this.lifecycle.finish(ref, result),
    );
  }

  /** Does what needs the database, for as long as that is away and the lease lasts. */
  private async persevere<T>(
    { id }: RunRef,
    isWorthwhile: (error: unknown) => boolean,
    work: () => Promise<T>,
  ): Promise<T> {
    const until = performance.now() + this.lifecycle.leaseSeconds * 1000;
    for (;;)
      try {
        return await work();
      } catch (error) {
        if (!isWorthwhile(error) || performance.now() > until) throw error;
        this.logger.warn({ err: error, run_id: id }, 'a run could not be written down; trying again');
        await delay(500);
      }
  }
}

/** Whatever a program that was told to stop says of itself, its work is not done. */
function resultOf(
  end: Awaited<SupervisedRun['ended']>,
  stopped: StopReason | null,
  timeout_ms: number,
): RunResult {
  if (stopped === 'cancel') return { ...end, status: 'cancelled' };
  if (stopped === 'shutdown')
    return { ...end, status: 'cancelled', given_back: 'shutdown', error: 'The service was shut down' };
  if (stopped === 'timeout')
    return {
      ...end,
      status: 'failed',
      error: `The program was stopped: it took longer than ${timeout_ms / 1000} s`,
    };
  return end;
}
