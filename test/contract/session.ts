import { lastValueFrom, mergeMap, range } from 'rxjs';
import { onTestFinished } from 'vitest';
import {
  type Diagnostic,
  type Hatchet,
  type HatchetOptions,
  type JsonObject,
  type RunsClient,
  type V1TaskStatus,
  type WorkflowRunRef,
} from '../../src/index.ts';
import { all, eventually, one } from '../support/observe.ts';

/** A server that the contract is held against, with the contract's workflows on it. */
export interface Backend {
  /** The token that it accepts. */
  readonly token: string;
  /** A client of it, with settings that suit it beneath the given ones. */
  client(options?: HatchetOptions): Hatchet;
  /** A run that nobody works on: QUEUED until it is cancelled or replayed. */
  queuedRun(): Promise<string>;
  close(): Promise<void>;
}

/** One test's client, and what the test needs around it. */
export interface Session {
  readonly backend: Backend;
  readonly hatchet: Hatchet;
  readonly runs: RunsClient;
  /** Metadata that only this test's runs have. */
  readonly tag: Readonly<Record<string, string>>;
  /** What the client told of itself. */
  readonly told: readonly Diagnostic[];
  /** The requests sent so far, each as `GET /path`. */
  readonly requests: () => string[];
  readonly posts: () => string[];
  /** Triggers a run with the test's tag. */
  readonly start: (
    workflow: string,
    input?: JsonObject,
    metadata?: Readonly<Record<string, string>>,
  ) => Promise<WorkflowRunRef<JsonObject>>;
  /** Triggers runs, some at a time; the refs are in no particular order. */
  readonly startMany: (
    count: number,
    workflow: string,
    input?: (index: number) => JsonObject,
  ) => Promise<WorkflowRunRef<JsonObject>[]>;
  /** Triggers a run and waits for its end. */
  readonly finish: (workflow: string, input?: JsonObject) => Promise<WorkflowRunRef<JsonObject>>;
  /** Waits until a run has a status. */
  readonly reach: (runId: string, ...statuses: V1TaskStatus[]) => Promise<V1TaskStatus>;
}

/** Opens a session on the backend; it is closed when the test has ended. */
export type Open = (options?: HatchetOptions) => Session;

/** Metadata that every run of one suite has, to clean up by. */
export type SuiteTag = Readonly<Record<string, string>>;

export function openSession(backend: Backend, suite: SuiteTag, options: HatchetOptions = {}): Session {
  const told: Diagnostic[] = [];
  const hatchet = backend.client({ ...options, onDiagnostic: (diagnostic) => told.push(diagnostic) });
  onTestFinished(() => hatchet.close());
  const { runs } = hatchet;
  const tag = { contract_test: crypto.randomUUID() };
  const requests = () => told.flatMap((d) => (d.type === 'request' ? [`${d.method} ${d.path}`] : []));
  const start: Session['start'] = (workflow, input = {}, metadata = {}) =>
    one(runs.trigger(workflow, input, { additionalMetadata: { ...suite, ...tag, ...metadata } }));
  return {
    backend,
    hatchet,
    runs,
    tag,
    told,
    requests,
    posts: () => requests().filter((request) => request.startsWith('POST')),
    start,
    startMany: (count, workflow, input = () => ({})) =>
      all(range(0, count).pipe(mergeMap((index) => start(workflow, input(index)), 8))),
    finish: async (workflow, input) => {
      const ref = await start(workflow, input);
      await lastValueFrom(ref.status$);
      return ref;
    },
    reach: (runId, ...statuses) =>
      eventually(async () => {
        const status = await one(runs.getStatus(runId));
        return statuses.includes(status) ? status : undefined;
      }, 20),
  };
}

/** An id that no run has. */
export const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';

export const sorted = (ids: readonly string[]): string[] => [...ids].sort((a, b) => a.localeCompare(b));

export const idsOf = (runs: readonly { readonly id: string }[]): string[] => sorted(runs.map(({ id }) => id));
