import {
  catchError,
  combineLatest,
  defer,
  map,
  type Observable,
  of,
  race,
  ReplaySubject,
  share,
  switchMap,
  throwError,
  timer,
} from 'rxjs';
import { AmbiguousTriggerError, ConfigError, type HatchetError, isHatchetError } from '../error/errors.ts';
import { duration, withNamespace } from '../config.ts';
import { runStatus, trigger, type TriggerBody } from '../http/endpoints.ts';
import { problemOf } from '../model/decoder.ts';
import { checkKeys } from '../model/filter.ts';
import { isRecord } from '../model/json.ts';
import type { WorkflowDefinition, WorkflowOf } from '../model/workflow.ts';
import type { RunsContext } from './context.ts';
import { workflowNotFound } from './when-visible.ts';

/** How a run is triggered. */
export interface TriggerOptions {
  /** Metadata to find the run by. Strings only: filters compare text. */
  readonly additionalMetadata?: Readonly<Record<string, string>> | undefined;
  /** 1 is low, 3 is high. Default: the workflow's own. */
  readonly priority?: 1 | 2 | 3 | undefined;
  /** How long the ref's `status$` and `result$` wait, in milliseconds. Default: the client's `waitTimeoutMs`. */
  readonly waitTimeoutMs?: number | undefined;
}

/** The metadata key under which every trigger leaves a value of its own, to look its run up by. */
export const TRIGGER_TAG = 'hatchet_rx_trigger';

/** How much later than the trigger's answer the answer about the workflow's name may come. Milliseconds. */
const NAME_CHECK_PATIENCE_MS = 1_000;

/**
 * Checks everything about a trigger. Throws `ConfigError`.
 *
 * @returns what sends it: takes further metadata pairs, emits the run's id
 */
export function preparedTrigger<I, O>(
  context: RunsContext,
  operation: string,
  workflow: WorkflowOf<I, O>,
  input: I,
  options: TriggerOptions,
): (metadata: Readonly<Record<string, string>>) => Observable<string> {
  const definition = definitionOf(operation, workflow);
  const body = bodyOf(operation, context.namespace, definition, input, options);
  checkKeys(operation, options, ['additionalMetadata', 'priority', 'waitTimeoutMs']);
  duration(options.waitTimeoutMs, `${operation}: waitTimeoutMs`);
  return (metadata) =>
    defer(() =>
      sendTrigger(context, operation, {
        ...body,
        additionalMetadata: { ...body.additionalMetadata, ...metadata, [TRIGGER_TAG]: crypto.randomUUID() },
      }),
    );
}

/**
 * Sends the trigger, and asks beside it whether the workflow exists, unless this client knows already.
 *
 * [hatchet] For an unknown workflow the server hands out the id of a run that will never exist.
 */
function sendTrigger(context: RunsContext, operation: string, body: TriggerBody): Observable<string> {
  const { workflowName, additionalMetadata } = body;
  const sending = context.exchange(trigger(operation, body)).pipe(
    catchError((error: unknown) =>
      throwError(() => (isHatchetError(error) ? triggerError(operation, error, additionalMetadata) : error)),
    ),
    map((runId) => {
      context.memory.triggered(runId, workflowName);
      return runId;
    }),
  );
  if (context.knownWorkflows.has(workflowName)) return sending;

  // Two parties below listen to it, and it must be sent once.
  const sent = sending.pipe(
    share({ connector: () => new ReplaySubject<string>(1), resetOnComplete: false, resetOnError: false }),
  );
  // A look-up that fails says nothing about the workflow; it must not fail the trigger.
  const exists = context.knownWorkflows.idOf(operation, workflowName).pipe(
    map((id) => id !== undefined),
    catchError(() => of(true)),
  );
  const inTime = sent.pipe(
    switchMap(() => timer(NAME_CHECK_PATIENCE_MS)),
    map(() => true),
    catchError(() => of(true)),
  );
  return combineLatest([sent, race(exists, inTime)]).pipe(
    switchMap(([runId, found]) => (found ? of(runId) : doubleCheck(context, operation, runId, workflowName))),
  );
}

/** The name was unknown a moment ago: perhaps it was registered in between. */
function doubleCheck(context: RunsContext, operation: string, runId: string, name: string): Observable<string> {
  return context.exchange(runStatus(operation, runId)).pipe(
    map(() => runId),
    catchError(() =>
      context.knownWorkflows.idOf(operation, name).pipe(
        // A second look-up that fails says nothing either.
        catchError(() => of('unknown')),
        map((id) => {
          if (id === undefined) throw workflowNotFound(operation, name);
          return runId;
        }),
      ),
    ),
  );
}

/** A trigger that failed: did the server certainly not act on it, or may there be a run? */
function triggerError(
  operation: string,
  error: HatchetError,
  metadata: Readonly<Record<string, string>>,
): HatchetError {
  if (!mayHaveActed(error)) return error;
  const tag = { [TRIGGER_TAG]: metadata[TRIGGER_TAG] ?? '' };
  return new AmbiguousTriggerError(
    `${operation}: the answer was lost, so the run may or may not exist (${error.message}). ` +
      `Look it up with runs.list({ additionalMetadata: ${JSON.stringify(tag)} }) before triggering again`,
    { tag },
    {
      operation,
      method: error.method,
      path: error.path,
      status: error.status,
      attempts: error.attempts,
      snippet: error.snippet,
      cause: error,
    },
  );
}

/** Failures before anything was written: the name was not resolved, the connection not made. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function mayHaveActed(error: HatchetError): boolean {
  switch (error._tag) {
    case 'ConnectionError':
      return !NEVER_SENT.has(codeOf(error.cause));
    case 'TimeoutError':
    case 'DecodeError':
      return true;
    case 'HttpStatusError':
      // [hatchet] A 500 may hide a run; so may a proxy's 502 or 504.
      return error.status >= 500 || error.status === 408;
    default:
      return false;
  }
}

function codeOf(cause: unknown): string {
  const code = isRecord(cause) ? cause['code'] : undefined;
  return typeof code === 'string' ? code : '';
}

function definitionOf<I, O>(operation: string, workflow: WorkflowOf<I, O>): WorkflowDefinition<I, O> {
  const definition = typeof workflow === 'string' ? { name: workflow, input: undefined, output: undefined } : workflow;
  // [hatchet] Without a name the server answers with a phantom id.
  if (!isRecord(definition) || typeof definition.name !== 'string' || definition.name.trim() === '') {
    throw new ConfigError(`${operation}: the workflow needs a name`, { operation });
  }
  return definition;
}

function bodyOf<I, O>(
  operation: string,
  namespace: string,
  definition: WorkflowDefinition<I, O>,
  input: I,
  options: TriggerOptions,
): TriggerBody {
  const { priority, additionalMetadata = {} } = options;
  if (priority !== undefined && ![1, 2, 3].includes(priority)) {
    throw new ConfigError(`${operation}: priority must be 1, 2 or 3, not ${String(priority)}`, { operation });
  }
  for (const [key, value] of Object.entries(additionalMetadata)) {
    // [hatchet] Numbers and booleans are stored, but no filter finds them.
    if (typeof value !== 'string') {
      throw new ConfigError(`${operation}: additionalMetadata.${key} must be a string`, { operation });
    }
  }
  return {
    workflowName: withNamespace(namespace, definition.name),
    input: wireInput(operation, definition, input),
    additionalMetadata,
    ...(priority === undefined ? {} : { priority }),
  };
}

function wireInput<I, O>(operation: string, { name, input: codec }: WorkflowDefinition<I, O>, input: I): object {
  const wire = codec === undefined ? input : encoded(operation, name, codec, input);
  if (!isRecord(wire)) {
    throw new ConfigError(`${operation}: the input of "${name}" must be a JSON object`, { operation });
  }
  try {
    JSON.stringify(wire);
  } catch (cause) {
    throw new ConfigError(`${operation}: the input of "${name}" cannot be written as JSON`, { operation, cause });
  }
  return wire;
}

/** What the codec writes must be what it reads: that is how a wrong input is found before it is sent. */
function encoded<I>(
  operation: string,
  name: string,
  codec: NonNullable<WorkflowDefinition<I, unknown>['input']>,
  input: I,
): unknown {
  let wire: unknown;
  try {
    wire = codec.encode(input);
  } catch (cause) {
    throw new ConfigError(`${operation}: the input of "${name}" is not what its codec takes`, { operation, cause });
  }
  const decoded = codec.decode(wire);
  if (decoded._tag === 'Left') {
    const problem = problemOf(decoded.left);
    const place = problem.path === '' ? 'the input' : `"${problem.path}" of the input`;
    throw new ConfigError(`${operation}: ${place} of "${name}" is not ${problem.expected} (got ${problem.got})`, {
      operation,
    });
  }
  return wire;
}
