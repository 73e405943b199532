import type { Services } from './exchange.ts';
import { toJsonObject } from './json.ts';
import { createRun, createTask } from './store.ts';
import type { Status } from './store.ts';

/** Runs that are put into the store as they are, without being run. */
export interface SeedRuns {
  /** How many. */
  readonly count: number;
  /** A registered workflow with one task. */
  readonly workflow: string;
  /** The status of each, or of the i-th. @defaultValue 'COMPLETED' */
  readonly status?: Status | ((index: number) => Status) | undefined;
  /** The creation time of the first (= oldest). @defaultValue so long ago that the last one is a second old */
  readonly since?: Date | undefined;
  /** Microseconds between one creation time and the next. @defaultValue 1000 */
  readonly stepMicros?: number | undefined;
  /** So many runs in a row share one creation time, as children spawned in bulk do. @defaultValue 1 */
  readonly tie?: number | undefined;
  readonly additionalMetadata?:
    | Readonly<Record<string, unknown>>
    | ((index: number) => Record<string, unknown>)
    | undefined;
  readonly input?: ((index: number) => Record<string, unknown>) | undefined;
  /** The output of those that are COMPLETED. */
  readonly output?: ((index: number) => Record<string, unknown>) | undefined;
  /** The error text of those that are FAILED. @defaultValue 'seeded failure' */
  readonly error?: string | undefined;
}

/** Puts runs into the store; gives their ids, oldest first. */
export const seedRuns = (seeds: SeedRuns, services: Services): string[] => {
  const { store, random, clock, workflows } = services;
  const workflow = workflows.get(seeds.workflow);
  const step = workflow?.steps[0];
  if (workflow === undefined || step === undefined) throw new Error(`no workflow is called ${seeds.workflow}`);
  if (workflow.isDag) throw new Error(`${seeds.workflow} is a DAG; only workflows with one task can be seeded`);
  const { count, tie = 1, stepMicros = 1000, status = 'COMPLETED', additionalMetadata } = seeds;
  const span = Math.floor((count - 1) / tie) * stepMicros;
  const firstUs = seeds.since === undefined ? clock.peek() - 1_000_000 - span : seeds.since.getTime() * 1000;
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const createdUs = firstUs + Math.floor(index / tie) * stepMicros;
    const metadata = typeof additionalMetadata === 'function' ? additionalMetadata(index) : additionalMetadata;
    const run = createRun(workflow, { externalId: random.uuid(), seq: store.nextId('run') }, createdUs, {
      metadata: { ...toJsonObject(metadata ?? {}), traceparent: `00-${random.hex(32)}-${random.hex(16)}-01` },
      input: toJsonObject(seeds.input?.(index) ?? {}),
      priority: 1,
      parentTaskId: undefined,
      storedUs: createdUs,
    });
    const task = createTask(run, step, { externalId: run.externalId, taskId: store.nextId('task') }, createdUs, {});
    const { attempt } = task;
    attempt.status = typeof status === 'function' ? status(index) : status;
    const hasEnded = attempt.status !== 'QUEUED' && attempt.status !== 'RUNNING';
    if (attempt.status !== 'QUEUED') attempt.startedUs = createdUs + 300;
    if (hasEnded) attempt.finishedUs = createdUs + 900;
    if (attempt.status === 'COMPLETED') attempt.output = toJsonObject(seeds.output?.(index) ?? {});
    if (attempt.status === 'FAILED') attempt.error = seeds.error ?? 'seeded failure';
    Object.assign(run.reading, {
      status: attempt.status,
      createdUs,
      startedUs: attempt.startedUs,
      finishedUs: attempt.finishedUs,
      finishedSteps: hasEnded ? 1 : 0,
    });
    store.add(run);
    store.addTask(task);
    store.publish(run);
    ids.push(run.externalId);
  }
  return ids;
};
