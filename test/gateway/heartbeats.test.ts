import { NEVER, type Observable, Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunEvent } from '../../src/index.ts';
import { createHeartbeats } from '../../src/gateway/heartbeats.ts';
import { createHub, type Hub } from '../../src/gateway/hub.ts';
import { createStreamBody, type Sink } from '../../src/gateway/stream-body.ts';

const decoder = new TextDecoder();

/** A sink that writes down what comes, and takes as much as it is told to. */
interface FakeSink extends Sink {
  takes: boolean;
  readonly pieces: string[];
  ended: 'no' | 'end' | 'fail';
}

function fakeSink(): FakeSink {
  const sink: FakeSink = {
    takes: true,
    pieces: [],
    ended: 'no',
    ready: () => sink.takes,
    write: (bytes: Uint8Array) => void sink.pieces.push(decoder.decode(bytes)),
    end() {
      sink.ended = 'end';
    },
    fail() {
      sink.ended = 'fail';
    },
  };
  return sink;
}

const HEARTBEAT_MS = 15_000;

function bodyOn(hub: Hub) {
  const reader = hub.open(['a'], undefined);
  if ('error' in reader) throw new Error('refused');
  const closed: string[] = [];
  const body = createStreamBody({
    reader,
    heartbeats: createHeartbeats(HEARTBEAT_MS),
    onClosed: (how) => closed.push(how),
  });
  const sink = fakeSink();
  body.attach(sink);
  return { body, sink, closed };
}

const hubOf = (source: Observable<RunEvent> = NEVER) =>
  createHub({
    source: () => source,
    buffer: {
      events: 100,
      bytes: 1_000_000,
      keepAfterEndMs: 1,
      idleMs: 1,
      runs: 10,
      behindEvents: 100,
      behindBytes: 1_000_000,
    },
  });

const chunk = (index: number): RunEvent => ({
  type: 'chunk',
  runId: 'a',
  taskRunId: 'a',
  retryCount: 0,
  index,
  text: `${index}`,
  time: new Date(0),
});

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  const left = vi.getTimerCount();
  vi.useRealTimers();
  if (left > 0) throw new Error(`${left} timers are left`);
});

describe('heartbeats', () => {
  it('come in every heartbeat while nothing else does', () => {
    const hub = hubOf();
    const { sink } = bodyOn(hub);
    let before = sink.pieces.length;
    expect(before).toBe(1);
    for (let beat = 0; beat < 10; beat += 1) {
      vi.advanceTimersByTime(HEARTBEAT_MS);
      expect(sink.pieces.length).toBeGreaterThan(before);
      before = sink.pieces.length;
    }
    expect(new Set(sink.pieces.slice(1))).toEqual(new Set([': still here\n\n']));
    hub.close();
  });

  it('never leave a silence of a heartbeat, whenever the last event came', () => {
    for (let at = 0; at < HEARTBEAT_MS; at += 500) {
      const source = new Subject<RunEvent>();
      const hub = hubOf(source);
      const { sink } = bodyOn(hub);
      vi.advanceTimersByTime(at);
      source.next(chunk(0));
      const count = sink.pieces.length;
      vi.advanceTimersByTime(HEARTBEAT_MS - 1);
      expect(sink.pieces.length, `event at ${at} ms`).toBeGreaterThan(count);
      hub.close();
    }
  });

  it('stay away while events come', () => {
    const source = new Subject<RunEvent>();
    const hub = hubOf(source);
    const { sink } = bodyOn(hub);
    for (let index = 0; index < 100; index += 1) {
      source.next(chunk(index));
      vi.advanceTimersByTime(1_000);
    }
    expect(sink.pieces.join('')).not.toContain('still here');
    hub.close();
  });

  it('share one timer, which ends with the last connection', () => {
    const hub = hubOf();
    const heartbeats = createHeartbeats(HEARTBEAT_MS);
    const stops = Array.from({ length: 1_000 }, () => heartbeats.add(() => {}));
    expect(vi.getTimerCount()).toBe(1);
    for (const stop of stops) stop();
    expect(vi.getTimerCount()).toBe(0);
    hub.close();
  });

  it('a connection that takes nothing for two heartbeats is cut off', () => {
    const hub = hubOf();
    const { sink, closed } = bodyOn(hub);
    sink.takes = false;
    vi.advanceTimersByTime(2 * HEARTBEAT_MS - 1);
    expect(sink.ended).toBe('no');
    vi.advanceTimersByTime(HEARTBEAT_MS);
    expect([sink.ended, closed]).toEqual(['fail', ['cut']]);
    hub.close();
  });
});

describe('a body', () => {
  it('writes no more than its sink takes, and goes on when it takes more', () => {
    const source = new Subject<RunEvent>();
    const hub = hubOf(source);
    const { sink, body } = bodyOn(hub);
    sink.takes = false;
    for (let index = 0; index < 5; index += 1) source.next(chunk(index));
    expect(sink.pieces).toHaveLength(1);
    sink.takes = true;
    body.pump();
    expect(sink.pieces).toHaveLength(2);
    expect(sink.pieces[1]?.match(/event: chunk/g)).toHaveLength(5);
    hub.close();
    expect(sink.ended).toBe('end');
  });

  it('of a client that is gone closes without a word', () => {
    const hub = hubOf();
    const { sink, body, closed } = bodyOn(hub);
    body.cancel();
    expect([sink.ended, closed, hub.stats().readers]).toEqual(['no', ['gone'], 0]);
    hub.close();
  });

  it('of a source that broke ends without an end', () => {
    const source = new Subject<RunEvent>();
    const hub = hubOf(source);
    const { sink, closed } = bodyOn(hub);
    source.next(chunk(0));
    source.error(new Error('lost'));
    expect([sink.ended, closed]).toEqual(['end', ['broken']]);
    expect(sink.pieces.join('')).not.toContain('event: end');
    hub.close();
  });
});
