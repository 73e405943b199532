import { EMPTY, NEVER, type Observable, of, Subject, switchMap, throwError } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunEvent } from '../../src/index.ts';
import { createHub } from '../../src/gateway/hub.ts';
import type { Parts } from '../../src/gateway/plan.ts';
import { planTrigger } from '../../src/gateway/trigger.ts';
import { watch } from '../support/observe.ts';

type Trigger = (metadata: Readonly<Record<string, string>>) => Observable<string>;

const RUN_ID = '7f3c1f0e-2b60-4b53-a1d5-5e0bb8a2f1d7';
const ANSWER = { run: { metadata: { id: RUN_ID } } };

/** What a plan is made with, over a server that answers as told and a source of events. */
function partsOf(
  eventsOfTriggered: (trigger: Trigger) => Observable<RunEvent>,
  answer: Observable<unknown> = of(ANSWER),
) {
  const sent: unknown[] = [];
  const hub = createHub({
    source: () => NEVER,
    buffer: {
      events: 10,
      bytes: 10_000,
      keepAfterEndMs: 10,
      idleMs: 10,
      runs: 10,
      behindEvents: 10,
      behindBytes: 10_000,
    },
  });
  const context = {
    guard: <A>(source: A) => source,
    exchange: ({ body }: { readonly body: unknown }) => {
      sent.push(body);
      return answer;
    },
    memory: { triggered: () => {} },
    events: { eventsOfTriggered },
  };
  // Only what a trigger touches.
  const parts = { hub, context, knowledge: { learn: () => {} } } as unknown as Parts;
  return { parts, hub, sent };
}

const body = { workflowName: 'quick', input: {}, additionalMetadata: { own: '1' }, return_only_id: true };

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a trigger through the gateway', () => {
  it('is sent by the source, when it listens, with its tag; the scope comes last', () => {
    const subject = new Subject<RunEvent>();
    const { parts, hub, sent } = partsOf((trigger) =>
      trigger({ tag: 't', user: 'tag' }).pipe(switchMap((runId) => (expect(runId).toBe(RUN_ID), subject))),
    );
    const course = watch(planTrigger(parts, body).run({ user: 'ada' }));
    expect([course.values, course.ended]).toEqual([[ANSWER], 'complete']);
    expect(sent).toEqual([{ ...body, additionalMetadata: { own: '1', tag: 't', user: 'ada' } }]);
    expect(hub.knows(RUN_ID)).toBe('live');
    subject.next({ type: 'finished', runId: RUN_ID, status: 'COMPLETED', tail: 'unverified', time: new Date(0) });
    expect(hub.knows(RUN_ID)).toBe('ended');
    hub.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each<[string, Observable<RunEvent>]>([
    ['fails', throwError(() => new Error('no way'))],
    ['ends', EMPTY],
  ])('is sent without the source if that %s before', (_, events) => {
    const { parts, hub, sent } = partsOf(() => events);
    const course = watch(planTrigger(parts, body).run(undefined));
    expect([course.values, course.ended]).toEqual([[ANSWER], 'complete']);
    expect(sent).toHaveLength(1);
    expect(hub.stats().runs).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not wait for the source for long', () => {
    const source = new Subject<RunEvent>();
    const { parts, sent } = partsOf(() => source);
    const course = watch(planTrigger(parts, body).run(undefined));
    vi.advanceTimersByTime(1_999);
    expect([sent, course.ended]).toEqual([[], 'no']);
    vi.advanceTimersByTime(1);
    expect([sent.length, course.ended]).toEqual([1, 'complete']);
    expect(source.observed).toBe(false);
  });

  it('is not sent for someone who has gone before', () => {
    const source = new Subject<RunEvent>();
    const { parts, sent } = partsOf(() => source);
    watch(planTrigger(parts, body).run(undefined)).stop();
    expect([sent, source.observed, vi.getTimerCount()]).toEqual([[], false, 0]);
  });

  it('goes on for someone who has gone since, and is sent once', () => {
    const answer = new Subject<unknown>();
    const { parts, hub, sent } = partsOf((trigger) => trigger({}).pipe(switchMap(() => NEVER)), answer);
    watch(planTrigger(parts, body).run(undefined)).stop();
    answer.next(ANSWER);
    vi.advanceTimersByTime(5);
    expect([sent.length, hub.knows(RUN_ID)]).toEqual([1, 'live']);
    hub.close();
  });

  it('that fails says so, once', () => {
    const { parts, hub, sent } = partsOf(
      (trigger) => trigger({}).pipe(switchMap(() => NEVER)),
      throwError(() => 'refused'),
    );
    const course = watch(planTrigger(parts, body).run(undefined));
    expect([course.error, sent.length, hub.stats().runs, vi.getTimerCount()]).toEqual(['refused', 1, 0, 0]);
  });
});
