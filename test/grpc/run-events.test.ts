import { status } from '@grpc/grpc-js';
import { EMPTY, lastValueFrom, NEVER, of, Subject, tap, throwError, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AmbiguousTriggerError, AuthenticationError, ConfigError, RunNotFoundError } from '../../src/error/errors.ts';
import type { EventConnection, EventHost } from '../../src/events/source.ts';
import { grpcRunEvents, type GrpcRunEventsOptions, STREAM_TAG } from '../../src/grpc/index.ts';
import { EventType, METHODS, ResourceType, type WorkflowEvent } from '../../src/grpc/messages.ts';
import { PIN_TEXT } from '../../src/grpc/pin.ts';
import { fixedCredentials, type Credentials } from '../../src/http/credentials.ts';
import type { RunEvent } from '../../src/model/event.ts';
import { type FakeCall, type FakeEngine, recorded, startFakeEngine, until } from './fake-engine.ts';

const RUN = '11111111-1111-4111-8111-111111111111';
const OTHER = '22222222-2222-4222-8222-222222222222';

const access = (token: string) => ({ token, tenantId: 'default', origin: '', basePath: '' });

function hostOf(credentials: Credentials, watch: EventHost['watch'] = () => NEVER): EventHost {
  return {
    credentials,
    watch,
    exchange: () => EMPTY,
    transport: { request: () => EMPTY, close: () => Promise.resolve() },
    headers: undefined,
    retry: { maxAttempts: 3, baseDelayMs: 5, maxDelayMs: 20 },
    timeoutMs: 5_000,
    diagnose: undefined,
  };
}

const chunk = (index: number, text: string, run = RUN, at = index): Partial<WorkflowEvent> => ({
  workflowRunId: run,
  resourceType: ResourceType.task,
  eventType: EventType.stream,
  resourceId: run,
  eventTimestamp: { seconds: 1_800_000_000, nanos: at * 1_000_000 },
  eventPayload: text,
  eventIndex: index,
});
const runEvent = (eventType: number, run = RUN): Partial<WorkflowEvent> => ({
  workflowRunId: run,
  resourceType: ResourceType.run,
  resourceId: run,
  eventType,
});
const doneAs = (number: number, run = RUN) => ({
  status: number,
  done: true,
  taskRuns: new Map([['task', { externalId: run, status: number }]]),
});

const brief = (events: readonly RunEvent[]) =>
  events.map((event) => {
    if (event.type === 'chunk') return event.text;
    if (event.type === 'task') return `${event.event} ${event.retryCount}`;
    if (event.type === 'gap') return `gap ${event.from ?? '?'}..${event.to ?? '?'}`;
    return `${event.status} ${event.tail}`;
  });

let engine: FakeEngine;
let connection: EventConnection;

const connect = (options: GrpcRunEventsOptions = {}, host = hostOf(fixedCredentials(access('token')))) => {
  connection = grpcRunEvents({ address: engine.address, tls: 'none', lingerMs: 60, ...options }).connect(host);
  return connection;
};

/** Triggers a run: the engine gets its first events when the trigger is sent. */
const triggered = (onTrigger: (call: FakeCall) => void, run = RUN) =>
  connection.eventsOfTriggered(() => {
    const call = engine.calls.at(-1);
    if (call === undefined || !call.open)
      return throwError(() => new Error('triggered before the engine had the call'));
    onTrigger(call);
    return of(run);
  });

const all = (events: ReturnType<typeof triggered>) => lastValueFrom(events.pipe(toArray()));

beforeEach(async () => {
  engine = await startFakeEngine();
});
afterEach(async () => {
  await connection.close();
  engine.close();
});

describe('a run that is triggered', () => {
  it.each([
    ['single-quick', ['started 0', 'completed 0']],
    ['dag', ['started 0', 'first;', 'completed 0']],
    ['fail', ['started 0', 'failed 0']],
    ['cancel', ['started 0', 'cancelled 0']],
    ['children', ['started 0', 'completed 0']],
    ['flaky-retries-full', undefined],
    ['single-stream', undefined],
  ])('gives what was recorded of it: %s', async (name, expected) => {
    connect();
    const events = recorded(name);
    const last = events.at(-1);
    const run = last?.workflowRunId ?? '';
    const number = { [EventType.failed]: 3, [EventType.cancelled]: 4 }[last?.eventType ?? 0] ?? 2;
    const task = events.find(({ workflowRunId }) => workflowRunId === run)?.resourceId ?? '';
    const start = triggered((call) => {
      engine.runs.set(run, {
        status: number,
        done: true,
        taskRuns: new Map([['task', { externalId: task, status: number }]]),
      });
      call.send(...events);
      if (last?.hangup === true) call.hangUp();
    }, run);
    const seen = await all(start);
    const ending = `${{ 3: 'FAILED', 4: 'CANCELLED' }[number] ?? 'COMPLETED'} unverified`;
    const shown = brief(seen);
    // Longer ones are told by their texts, below.
    expect(expected === undefined ? shown.slice(-1) : shown).toEqual([...(expected ?? []), ending]);
    const texts = events.flatMap((event) => (event.eventType === EventType.stream ? [event.eventPayload] : []));
    expect(seen.flatMap((event) => (event.type === 'chunk' ? [event.text] : []))).toEqual(texts);
    expect(seen.every(({ runId }) => runId === run)).toBe(true);
    await until(() => engine.openCalls() === 0);
  });

  it('numbers the attempts of a task that was retried', async () => {
    connect();
    const events = recorded('flaky-retries-full');
    const run = events[0]?.workflowRunId ?? '';
    engine.runs.set(run, doneAs(2, run));
    const seen = await all(triggered((call) => call.send(...events), run));
    const chunks = seen.flatMap((event) => (event.type === 'chunk' ? [event] : []));
    for (const { text, retryCount, index } of chunks) expect(text).toBe(`a${retryCount}-${index ?? '?'};`);
    expect(chunks).toHaveLength(9);
  });

  it('goes on after a hang-up that came too early', async () => {
    connect();
    engine.runs.set(RUN, { status: 1, done: false });
    engine.onSubscribe = (call) => {
      if (engine.calls.length < 2) return;
      call.send(chunk(1, 'b'));
      engine.runs.set(RUN, doneAs(2));
      call.send(runEvent(EventType.completed));
    };
    const seen = await all(
      triggered((call) => {
        call.send(chunk(0, 'a'), runEvent(EventType.completed));
        call.hangUp();
      }),
    );
    expect(brief(seen)).toEqual(['a', 'b', 'completed 0', 'COMPLETED unverified']);
    expect(new Set(engine.calls.map(({ request }) => request.additionalMetaValue)).size).toBe(1);
    await until(() => engine.openCalls() === 0);
  });

  it.each([
    [status.INTERNAL, 'grpc: error while marshaling: string field contains invalid UTF-8'],
    [status.UNAVAILABLE, 'Connection dropped'],
    [status.RESOURCE_EXHAUSTED, 'Bandwidth exhausted or memory limit exceeded'],
  ])('goes on after the call ended with %s, and says what may be lost', async (code, details) => {
    connect();
    engine.onSubscribe = (call) => {
      if (engine.calls.length < 2) return;
      engine.runs.set(RUN, doneAs(2));
      call.send(runEvent(EventType.completed));
    };
    const seen = await all(
      triggered((call) => {
        engine.runs.set(RUN, { status: 1, done: false });
        call.send(chunk(0, 'a'));
        setTimeout(() => call.fail(code, details), 20);
      }),
    );
    expect(brief(seen)).toEqual(['a', 'gap 1..?', 'completed 0', 'COMPLETED unverified']);
  });

  it('waits for the end of the run when nothing is heard of it, and asks the REST API when the engine cannot say', async () => {
    connect(
      {},
      hostOf(fixedCredentials(access('token')), () => of({ status: 'FAILED' as const, final: true })),
    );
    engine.broken.set(METHODS.getRunDetails, status.UNIMPLEMENTED);
    const seen = await all(triggered((call) => call.send(chunk(0, 'a'))));
    expect(brief(seen)).toEqual(['a', 'FAILED unverified']);
  });

  it('is found by its first event when the answer to the trigger was lost', async () => {
    connect();
    engine.runs.set(RUN, doneAs(2));
    const lost = new AmbiguousTriggerError('the answer was lost', { tag: {} });
    const events = connection.eventsOfTriggered(() => {
      setTimeout(() => engine.calls.at(-1)?.send(chunk(0, 'a'), runEvent(EventType.completed)), 20);
      return throwError(() => lost);
    });
    expect(brief(await all(events))).toEqual(['a', 'completed 0', 'COMPLETED unverified']);
  });

  it('is not triggered when the token is refused', async () => {
    connect();
    engine.refused.add('token');
    await expect(all(triggered(() => undefined))).rejects.toBeInstanceOf(AuthenticationError);
    expect(engine.calls).toHaveLength(0);
  });

  it('asks for a new token once', async () => {
    engine.refused.add('old');
    const fixed = fixedCredentials(access('old'));
    connect({}, hostOf({ ...fixed, refresh: () => of(access('new')) }));
    engine.runs.set(RUN, doneAs(2));
    const seen = await all(triggered((call) => call.send(chunk(0, 'a'), runEvent(EventType.completed))));
    expect(brief(seen)).toEqual(['a', 'completed 0', 'COMPLETED unverified']);
  });

  it('ends its call when the trigger fails, and when nobody listens any more', async () => {
    connect();
    await expect(
      all(connection.eventsOfTriggered(() => throwError(() => new Error('no such workflow')))),
    ).rejects.toThrow('no such workflow');
    await until(() => engine.calls.length === 1 && engine.openCalls() === 0);

    const subscription = triggered((call) => call.send(chunk(0, 'a'))).subscribe();
    await until(() => engine.openCalls() === 1);
    subscription.unsubscribe();
    await until(() => engine.openCalls() === 0);
  });

  it('ends with the client', async () => {
    connect();
    const ended = all(triggered((call) => call.send(chunk(0, 'a')))).catch((error: unknown) => error);
    await until(() => engine.openCalls() === 1);
    await connection.close();
    expect(await ended).toBeInstanceOf(ConfigError);
  });
});

describe('the pin', () => {
  const runOnce = async (run: string) => {
    engine.runs.set(run, doneAs(2, run));
    let tag: string | undefined;
    const seen = await all(
      connection.eventsOfTriggered((metadata) => {
        tag = metadata[STREAM_TAG];
        engine.calls.at(-1)?.send(chunk(0, 'a', run), runEvent(EventType.completed, run));
        return of(run);
      }),
    );
    expect(brief(seen)).toEqual(['a', 'completed 0', 'COMPLETED unverified']);
    return tag;
  };

  it('holds the call of later runs by the first one, whose tag they carry', async () => {
    connect();
    engine.onPut = ({ taskRunExternalId }) => engine.calls.at(-1)?.send(chunk(0, PIN_TEXT, taskRunExternalId));
    const first = await runOnce(RUN);
    expect(engine.puts).toHaveLength(0);
    expect(await runOnce(OTHER)).toBe(first);
    expect(engine.puts.map(({ taskRunExternalId }) => taskRunExternalId)).toEqual([RUN]);
    await until(() => engine.openCalls() === 0);
  });

  it('is shared by runs at the same time', async () => {
    connect();
    engine.onPut = ({ taskRunExternalId }) => engine.calls.at(-1)?.send(chunk(0, PIN_TEXT, taskRunExternalId));
    await runOnce(RUN);
    const ids = ['3', '4', '5'].map((digit) => RUN.replaceAll('1', digit));
    const answers = new Subject<void>();
    const runs = ids.map((id) => {
      engine.runs.set(id, doneAs(2, id));
      return all(connection.eventsOfTriggered(() => of(id).pipe(tap(() => answers.next()))));
    });
    let triggeredRuns = 0;
    answers.subscribe(() => {
      triggeredRuns += 1;
    });
    await until(() => triggeredRuns === 3);
    for (const id of ids) engine.calls.at(-1)?.send(chunk(0, id, id), runEvent(EventType.completed, id));
    const seen = await Promise.all(runs);
    expect(seen.map((events) => events[0])).toMatchObject(ids.map((text) => ({ text })));
    expect(engine.calls).toHaveLength(2);
    await until(() => engine.openCalls() === 0);
  });

  it.each([
    ['does not give the chunk back', undefined],
    ['refuses it', status.PERMISSION_DENIED],
  ])('is done without where the engine %s', async (_, code) => {
    connect();
    if (code !== undefined) engine.broken.set(METHODS.putStreamEvent, code);
    const tags = [await runOnce(RUN), await runOnce(OTHER)];
    expect(new Set(tags).size).toBe(2);
  });

  it('can be turned off', async () => {
    connect({ pin: false });
    const tags = [await runOnce(RUN), await runOnce(OTHER)];
    expect(new Set(tags).size).toBe(2);
    expect(engine.puts).toHaveLength(0);
  });
});

describe('a run that exists', () => {
  it('is looked for first', async () => {
    connect();
    await expect(all(connection.events(RUN, {}))).rejects.toBeInstanceOf(RunNotFoundError);
    await expect(all(connection.events('x', {}))).rejects.toBeInstanceOf(ConfigError);
    expect(engine.calls).toHaveLength(0);
  });

  it('has nothing left to give when it has ended', async () => {
    connect();
    engine.runs.set(RUN, doneAs(4));
    expect(brief(await all(connection.events(RUN, {})))).toEqual(['gap ?..?', 'CANCELLED unverified']);
    expect(engine.calls).toHaveLength(0);
  });

  it('is followed by its own tag, from where it is', async () => {
    connect();
    const additionalMetadata = new TextEncoder().encode('{"hatchet_rx_trigger":"t"}');
    engine.runs.set(RUN, { status: 1, done: false, additionalMetadata });
    engine.onSubscribe = (call) => {
      call.send(chunk(4, 'e'), chunk(3, 'd'));
      engine.runs.set(RUN, doneAs(2));
      call.send(runEvent(EventType.completed));
    };
    const seen = await all(connection.events(RUN, {}));
    expect(brief(seen)).toEqual(['gap 0..2', 'd', 'e', 'completed 0', 'COMPLETED unverified']);
    expect(engine.calls[0]?.request).toMatchObject({
      additionalMetaKey: 'hatchet_rx_trigger',
      additionalMetaValue: 't',
    });
  });

  it('is followed by its id otherwise', async () => {
    connect();
    engine.runs.set(RUN, { status: 0, done: false });
    engine.onSubscribe = (call) => {
      call.send(chunk(0, 'a'));
      engine.runs.set(RUN, doneAs(2));
      call.send(runEvent(EventType.completed));
    };
    expect(brief(await all(connection.events(RUN, {})))).toEqual(['a', 'completed 0', 'COMPLETED unverified']);
    expect(engine.calls[0]?.request.workflowRunId).toBe(RUN);
  });
});
