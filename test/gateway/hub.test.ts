import * as fc from 'fast-check';
import { concat, EMPTY, NEVER, Observable, of, Subject, throwError } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunEvent } from '../../src/index.ts';
import { createHub, type Hub, type HubBuffer } from '../../src/gateway/hub.ts';
import type { HubReader } from '../../src/gateway/hub-reader.ts';
import { type Frame, framesOf } from './support/events.ts';

const BUFFER: HubBuffer = {
  events: 1_000,
  bytes: 1_000_000,
  keepAfterEndMs: 1_000,
  idleMs: 5_000,
  runs: 10,
  behindEvents: 100,
  behindBytes: 100_000,
};

const TIME = new Date('2026-11-23T12:00:00Z');

const chunk = (runId: string, index: number, more: Partial<RunEvent> = {}): RunEvent =>
  ({ type: 'chunk', runId, taskRunId: runId, retryCount: 0, index, text: `${index}`, time: TIME, ...more }) as RunEvent;

const finished = (runId: string): RunEvent => ({
  type: 'finished',
  runId,
  status: 'COMPLETED',
  tail: 'verified',
  time: TIME,
});

/** Sources to drive by hand, and how often each was subscribed to. */
function sources() {
  const subjects = new Map<string, Subject<RunEvent>>();
  const asked: { runId: string; lastEventId: string | undefined }[] = [];
  let open = 0;
  return {
    asked,
    get open() {
      return open;
    },
    of(runId: string): Subject<RunEvent> {
      const subject = subjects.get(runId) ?? new Subject<RunEvent>();
      subjects.set(runId, subject);
      return subject;
    },
    renew: (runId: string) => subjects.delete(runId),
    source(runId: string, lastEventId: string | undefined): Observable<RunEvent> {
      asked.push({ runId, lastEventId });
      return new Observable((subscriber) => {
        open += 1;
        subscriber.add(() => {
          open -= 1;
        });
        subscriber.add(this.of(runId).subscribe(subscriber));
      });
    },
  };
}

function opened(hub: Hub, runIds: readonly string[], lastEventId?: string): HubReader {
  const reader = hub.open(runIds, lastEventId);
  if ('error' in reader) throw new Error('refused', { cause: reader.error });
  return reader;
}

const decoder = new TextDecoder();

const take = (reader: HubReader, maxBytes = 1_000_000): Frame[] =>
  reader.take(maxBytes).flatMap((frame) => framesOf(decoder.decode(frame)));

const eventOf = ({ data = '' }: Frame): RunEvent => JSON.parse(data) as RunEvent;

const textsOf = (frames: readonly Frame[]): string[] =>
  frames.map((frame) => {
    const event = eventOf(frame);
    return event.type === 'chunk' ? event.text : event.type;
  });

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  const left = vi.getTimerCount();
  vi.useRealTimers();
  if (left > 0) throw new Error(`${left} timers are left`);
});

describe('one subscription for all readers of a run', () => {
  it('is opened by the first, shared by the others, and closed some time after the last', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: BUFFER });
    const readers = Array.from({ length: 1_000 }, () => opened(hub, ['a']));
    upstream.of('a').next(chunk('a', 0));
    expect(upstream.asked).toHaveLength(1);
    expect(hub.stats()).toMatchObject({ runs: 1, upstreams: 1, readers: 1_000, events: 1 });
    for (const reader of readers) {
      expect(textsOf(take(reader))).toEqual(['0']);
      reader.close();
    }
    vi.advanceTimersByTime(4_999);
    expect(upstream.open).toBe(1);
    vi.advanceTimersByTime(1);
    expect(upstream.open).toBe(0);
    expect(hub.stats()).toMatchObject({ runs: 0, upstreams: 0, readers: 0, events: 0, bytes: 0 });
    hub.close();
  });

  it('lasts on while a reader comes back in time', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: BUFFER });
    opened(hub, ['a']).close();
    vi.advanceTimersByTime(4_000);
    const second = opened(hub, ['a']);
    vi.advanceTimersByTime(60_000);
    upstream.of('a').next(chunk('a', 0));
    expect(textsOf(take(second))).toEqual(['0']);
    expect(upstream.asked).toHaveLength(1);
    hub.close();
    expect(second.state()).toBe('closed');
    expect(upstream.open).toBe(0);
  });

  it('ends with the run, which stays for a while', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: BUFFER });
    const reader = opened(hub, ['a']);
    upstream.of('a').next(chunk('a', 0));
    expect(reader.state()).toBe('open');
    upstream.of('a').next(finished('a'));
    expect(upstream.open).toBe(0);
    expect(reader.state()).toBe('open');
    expect(textsOf(take(reader))).toEqual(['0', 'finished']);
    expect(reader.state()).toBe('ended');
    reader.close();
    expect(hub.knows('a')).toBe('ended');
    expect(textsOf(take(opened(hub, ['a'])))).toEqual(['0', 'finished']);
    expect(upstream.asked).toHaveLength(1);
    vi.advanceTimersByTime(1_000);
    // Someone still reads.
    expect(hub.knows('a')).toBe('ended');
    hub.close();
  });

  it('forgets an ended run with its last reader, if its time is over', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: BUFFER });
    const reader = opened(hub, ['a']);
    upstream.of('a').next(finished('a'));
    vi.advanceTimersByTime(1_000);
    expect(hub.knows('a')).toBe('ended');
    reader.close();
    expect(hub.knows('a')).toBeUndefined();
  });
});

describe('readers', () => {
  it('come late and get what is held from the first event on', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: BUFFER });
    const early = opened(hub, ['a']);
    for (let index = 0; index < 5; index += 1) upstream.of('a').next(chunk('a', index));
    const late = opened(hub, ['a']);
    expect(late.resumed).toBe(false);
    expect(textsOf(take(late))).toEqual(textsOf(take(early)));
    hub.close();
  });

  it('are told when the beginning is not held any more', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: { ...BUFFER, events: 3 } });
    const early = opened(hub, ['a']);
    for (let index = 0; index < 5; index += 1) upstream.of('a').next(chunk('a', index));
    const frames = take(opened(hub, ['a']));
    expect(textsOf(frames)).toEqual(['gap', '2', '3', '4']);
    // No resume point: that of one run would mean nothing for others on the same stream.
    expect(frames[0]?.id).toBeUndefined();
    expect(early.state()).toBe('behind');
    hub.close();
  });

  it('of several runs get the events in the order of their arrival, and end with the last run', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: BUFFER });
    const reader = opened(hub, ['a', 'b']);
    upstream.of('a').next(chunk('a', 0));
    upstream.of('b').next(chunk('b', 1));
    upstream.of('a').next(chunk('a', 2));
    upstream.of('a').next(finished('a'));
    const frames = take(reader);
    expect(textsOf(frames)).toEqual(['0', '1', '2', 'finished']);
    expect(reader.state()).toBe('open');
    const again = opened(hub, ['b', 'a'], frames[1]?.id);
    expect(again.resumed).toBe(true);
    expect(textsOf(take(again))).toEqual(['2', 'finished']);
    upstream.of('b').next(finished('b'));
    expect(textsOf(take(reader))).toEqual(['finished']);
    expect([reader.state(), again.state()]).toEqual(['ended', 'open']);
    expect(hub.stats().readers).toBe(2);
    hub.close();
  });

  it('are cut off when they fall back, not when they begin late', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: { ...BUFFER, behindEvents: 10 } });
    const slow = opened(hub, ['a']);
    upstream.of('a').next(chunk('a', 0));
    expect(textsOf(take(slow))).toEqual(['0']);
    for (let index = 1; index <= 10; index += 1) upstream.of('a').next(chunk('a', index));
    expect(slow.state()).toBe('open');
    upstream.of('a').next(chunk('a', 11));
    expect(slow.state()).toBe('behind');
    const late = opened(hub, ['a']);
    expect(late.state()).toBe('open');
    expect(textsOf(take(late))).toHaveLength(12);
    hub.close();
  });

  it('are cut off by bytes, too', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: { ...BUFFER, behindBytes: 1_000 } });
    const slow = opened(hub, ['a']);
    take(slow);
    upstream.of('a').next(chunk('a', 0, { text: 'x'.repeat(500) }));
    expect(slow.state()).toBe('open');
    upstream.of('a').next(chunk('a', 1, { text: 'x'.repeat(500) }));
    expect(slow.state()).toBe('behind');
    hub.close();
  });

  it('resume points of another hub are void', () => {
    const upstream = sources();
    const config = { source: (...args: [string, string | undefined]) => upstream.source(...args), buffer: BUFFER };
    const [first, second] = [createHub(config), createHub(config)];
    const here = opened(first, ['a']);
    opened(second, ['a']);
    upstream.of('a').next(chunk('a', 0));
    upstream.of('a').next(chunk('a', 1));
    const [frame] = take(here);
    for (const foreign of [frame?.id, '', 'nonsense', `${frame?.id?.split('-')[0]}-999999999999`]) {
      const reader = opened(second, ['a'], foreign);
      expect([foreign, reader.resumed, textsOf(take(reader))]).toEqual([foreign, false, ['0', '1']]);
    }
    first.close();
    second.close();
  });

  it('do not resume what was forgotten in between', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: BUFFER });
    const reader = opened(hub, ['a']);
    upstream.of('a').next(chunk('a', 0));
    const [frame] = take(reader);
    reader.close();
    vi.advanceTimersByTime(5_000);
    // Nothing has happened in the hub since, but nobody listened either.
    const again = opened(hub, ['a'], frame?.id);
    expect(again.resumed).toBe(false);
    upstream.of('a').next(chunk('a', 7));
    expect(textsOf(take(again))).toEqual(['7']);
    hub.close();
  });
});

describe('memory', () => {
  it('is bounded in runs: those that nobody reads give way, ended ones first', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: { ...BUFFER, runs: 3 } });
    opened(hub, ['idle']).close();
    opened(hub, ['over']).close();
    upstream.of('over').next(finished('over'));
    opened(hub, ['read']);
    opened(hub, ['new']);
    expect(hub.knows('over')).toBeUndefined();
    expect(hub.knows('idle')).toBe('live');
    opened(hub, ['newer']);
    expect(hub.knows('idle')).toBeUndefined();
    const refusal = hub.open(['newest'], undefined);
    expect(refusal).toMatchObject({ error: undefined, retryAfterMs: 5_000 });
    hub.close();
  });

  it('is bounded in bytes, but always has the newest event', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: { ...BUFFER, bytes: 1_000 } });
    const reader = opened(hub, ['a']);
    upstream.of('a').next(chunk('a', 0, { text: 'x'.repeat(5_000) }));
    expect(take(reader)).toHaveLength(1);
    for (let index = 1; index < 100; index += 1) upstream.of('a').next(chunk('a', index));
    expect(hub.stats().bytes).toBeLessThanOrEqual(1_000);
    expect(hub.stats().events).toBeGreaterThan(1);
    hub.close();
  });
});

describe('a source that fails', () => {
  it('breaks its readers off, refuses new ones for a moment, and is asked again from its own resume point', () => {
    const upstream = sources();
    const told: unknown[] = [];
    const hub = createHub({
      source: (...args) => upstream.source(...args),
      buffer: BUFFER,
      onFailure: (error) => told.push(error),
    });
    const reader = opened(hub, ['a']);
    upstream.of('a').next(chunk('a', 0, { id: 'source-7' }));
    const lost = new Error('lost');
    upstream.of('a').error(lost);
    // What was there before is still delivered.
    expect(reader.state()).toBe('open');
    const [frame] = take(reader);
    expect(reader.state()).toBe('broken');
    expect(told).toEqual([lost]);
    expect(hub.open(['a'], frame?.id)).toEqual({ error: lost, retryAfterMs: 500 });
    upstream.renew('a');
    vi.advanceTimersByTime(500);
    const again = opened(hub, ['a'], frame?.id);
    expect(again.resumed).toBe(true);
    expect(upstream.asked).toEqual([
      { runId: 'a', lastEventId: undefined },
      { runId: 'a', lastEventId: 'source-7' },
    ]);
    upstream.of('a').next(chunk('a', 1, { id: 'source-8' }));
    expect(textsOf(take(again))).toEqual(['1']);
    hub.close();
  });

  it('without resume points leaves a gap, and repeats nothing', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: BUFFER });
    const reader = opened(hub, ['a']);
    upstream.of('a').next(chunk('a', 0));
    upstream.of('a').next(chunk('a', 1));
    const frames = take(reader);
    upstream.of('a').error(new Error('lost'));
    upstream.renew('a');
    vi.advanceTimersByTime(500);
    const again = opened(hub, ['a'], frames.at(-1)?.id);
    expect(again.resumed).toBe(true);
    upstream.of('a').next(chunk('a', 0));
    upstream.of('a').next(chunk('a', 1));
    upstream.of('a').next(chunk('a', 3));
    expect(textsOf(take(again))).toEqual(['gap', '3']);
    hub.close();
  });

  it('waits longer each time, until something comes', () => {
    const hub = createHub({ source: () => throwError(() => new Error('down')), buffer: { ...BUFFER, idleMs: 60_000 } });
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const refusal = hub.open(['a'], undefined);
      if (!('error' in refusal)) throw new Error('not refused');
      pauses.push(refusal.retryAfterMs);
      vi.advanceTimersByTime(refusal.retryAfterMs);
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    hub.close();
  });

  it('that just ends has failed', () => {
    const hub = createHub({ source: () => concat(of(chunk('a', 0)), EMPTY), buffer: BUFFER });
    expect(hub.open(['a'], undefined)).toMatchObject({ retryAfterMs: 500 });
    hub.close();
  });
});

describe('a run that does not exist yet', () => {
  it('is held from its first event on', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: BUFFER });
    let name: (runId: string) => void = () => {};
    hub.adopt((known) => {
      name = known;
      return upstream.of('a');
    });
    expect(hub.knows('a')).toBeUndefined();
    name('a');
    upstream.of('a').next(chunk('a', 0));
    expect(textsOf(take(opened(hub, ['a'])))).toEqual(['0']);
    expect(upstream.asked).toEqual([]);
    hub.close();
    expect(upstream.of('a').observed).toBe(false);
  });

  it('is given up, when nobody reads it, after a while', () => {
    const upstream = sources();
    const hub = createHub({ source: () => NEVER, buffer: BUFFER });
    hub.adopt((known) => {
      known('a');
      return upstream.of('a');
    });
    expect(hub.stats().upstreams).toBe(1);
    vi.advanceTimersByTime(5_000);
    expect(hub.stats().upstreams).toBe(0);
    expect(upstream.of('a').observed).toBe(false);
  });

  it('is given up by whoever brought it, while it has no name', () => {
    const upstream = sources();
    const hub = createHub({ source: () => NEVER, buffer: BUFFER });
    const giveUp = hub.adopt(() => upstream.of('a'));
    expect(upstream.of('a').observed).toBe(true);
    giveUp();
    expect(upstream.of('a').observed).toBe(false);
  });
});

describe('whatever happens', () => {
  type Step =
    | { readonly do: 'emit'; readonly run: number }
    | { readonly do: 'open'; readonly runs: readonly number[]; readonly from: number }
    | { readonly do: 'take'; readonly reader: number; readonly bytes: number };

  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('emit' as const), run: fc.nat(2) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('open' as const),
        runs: fc.uniqueArray(fc.nat(2), { minLength: 1 }),
        from: fc.integer({ min: -1, max: 60 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('take' as const), reader: fc.nat(9), bytes: fc.nat(700) }) },
  );

  it('a reader sees all events after its resume point, in order, once; what it cannot see is told', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 12 }), (steps, events) => {
        const upstream = sources();
        const hub = createHub({
          source: (...args) => upstream.source(...args),
          buffer: { ...BUFFER, events, behindEvents: 1_000 },
        });
        const runs = ['a', 'b', 'c'];
        // All runs are held from the beginning.
        opened(hub, runs);
        /** Everything in the order of its arrival, and the resume points after it. */
        const history: { runId: string; text: string; id: string | undefined }[] = [];
        const witness = opened(hub, runs);
        const readers: {
          readonly reader: HubReader;
          readonly shouldResume: boolean;
          readonly runIds: readonly string[];
          readonly from: number;
          readonly seen: string[];
        }[] = [];
        for (const now of steps) {
          if (now.do === 'emit') {
            const runId = runs[now.run] ?? 'a';
            const text = String(history.length);
            upstream.of(runId).next(chunk(runId, history.length, { text }));
            const [frame] = take(witness);
            history.push({ runId, text, id: frame?.id });
          } else if (now.do === 'open') {
            const runIds = now.runs.map((run) => runs[run] ?? 'a');
            const from = Math.min(now.from, history.length - 1);
            const lastEventId = from < 0 ? undefined : history[from]?.id;
            const reader = opened(hub, runIds, lastEventId);
            const isHeld = runIds.every((runId) => {
              const own = history.map((event, n) => ({ ...event, n })).filter((event) => event.runId === runId);
              return own.slice(0, -events).every(({ n }) => n <= from);
            });
            const shouldResume = lastEventId !== undefined && isHeld;
            readers.push({ reader, shouldResume, runIds, from: reader.resumed ? from : -1, seen: [] });
          } else {
            const chosen = readers[now.reader];
            if (chosen !== undefined) chosen.seen.push(...textsOf(take(chosen.reader, now.bytes)));
          }
        }
        for (const { reader, shouldResume, runIds, from, seen } of readers) {
          expect(reader.resumed).toBe(shouldResume);
          const texts = seen.filter((text) => text !== 'gap');
          const expected = history.slice(from + 1).filter(({ runId }) => runIds.includes(runId));
          // A contiguous piece of each run's history: nothing twice, nothing left out.
          for (const runId of runIds) {
            const own = expected.filter((event) => event.runId === runId).map(({ text }) => text);
            const got = texts.filter((text) => own.includes(text));
            const start = got[0] === undefined ? 0 : own.indexOf(got[0]);
            expect(got).toEqual(own.slice(start, start + got.length));
            expect(reader.resumed && start > 0).toBe(false);
          }
          expect(texts).toEqual([...texts].sort((a, b) => Number(a) - Number(b)));
        }
        hub.close();
      }),
      { numRuns: 300 },
    );
  });

  it('resumes at every resume point', () => {
    const upstream = sources();
    const hub = createHub({ source: (...args) => upstream.source(...args), buffer: BUFFER });
    const whole = opened(hub, ['a']);
    for (let index = 0; index < 50; index += 1) upstream.of('a').next(chunk('a', index));
    upstream.of('a').next(finished('a'));
    const frames = take(whole);
    for (const [place, { id }] of frames.entries()) {
      const reader = opened(hub, ['a'], id);
      expect(reader.resumed).toBe(true);
      expect(take(reader)).toEqual(frames.slice(place + 1));
      expect(reader.state()).toBe('ended');
    }
    hub.close();
  });
});
