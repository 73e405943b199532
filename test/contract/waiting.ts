import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import * as t from 'io-ts';
import type { V1TaskStatus } from '../../src/index.ts';
import { all, errorWithTag, eventually, one, pause, watch } from '../support/observe.ts';
import { type Open, UNKNOWN_ID } from './session.ts';

export function waiting(open: Open): void {
  describe('status$ and result$', () => {
    test('status$ tells each status once, in order, and completes with the last', async () => {
      const { start } = open();
      const ref = await start('contract-slow', { ms: 400 });
      const seen = await all(ref.status$);
      expect(seen.at(-1)).toBe('COMPLETED');
      expect(seen).toContain('RUNNING');
      const order: V1TaskStatus[] = ['QUEUED', 'RUNNING', 'COMPLETED'];
      expect(seen).toEqual(order.filter((status) => seen.includes(status)));
    });

    test('send nothing before they are subscribed to', async () => {
      const { runs, requests } = open();
      const ref = runs.getRunRef(UNKNOWN_ID);
      expect([
        ref.status$,
        ref.result$,
        ref.details$,
        ref.status(),
        ref.result(),
        ref.cancel(),
        ref.replay(),
      ]).toHaveLength(7);
      expect(requests()).toEqual([]);
    });

    test('all subscribers of one ref cause one set of looks', async () => {
      const { start, told } = open();
      const ref = await start('contract-slow', { ms: 300 });
      const courses = [watch(ref.status$), watch(ref.result$), watch(ref.status$), watch(ref.result$)];
      await Promise.all(courses.map(({ end }) => end));
      expect(courses.map(({ ended }) => ended)).toEqual(['complete', 'complete', 'complete', 'complete']);
      expect(courses[1]?.values).toEqual([{ slept: 300 }]);
      expect(courses[3]?.values).toEqual([{ slept: 300 }]);
      expect(courses[2]?.values).toEqual(courses[0]?.values);
      // Each look but the last is followed by one pause: a second set of looks would end with a look more.
      const looks = told.filter((d) => d.type === 'request' && d.path.endsWith(`${ref.id}/status`)).length;
      const unreadable = told.filter((d) => d.type === 'wait' && d.reason === 'not-visible-yet').length;
      const pauses = told.filter((d) => d.type === 'poll').length;
      expect(pauses).toBeGreaterThan(0);
      expect(looks - unreadable).toBe(pauses + 1);
    });

    test('a late subscriber gets the latest status at once', async () => {
      const { start, requests } = open();
      const ref = await start('contract-slow', { ms: 60_000 });
      const early = watch(ref.status$);
      await eventually(() => early.values.includes('RUNNING'));
      const sent = requests().length;
      const late = watch(ref.status$);
      expect(late.values).toEqual(['RUNNING']);
      expect(requests()).toHaveLength(sent);
      early.stop();
      late.stop();
      await one(ref.cancel());
    });

    test('a second waiter after the end gets the result, too', async () => {
      const { start } = open();
      const ref = await start('contract-quick', { n: 1 });
      expect(await one(ref.result$)).toEqual({ ok: true, n: 1 });
      expect(await one(ref.result$)).toEqual({ ok: true, n: 1 });
      expect(await firstValueFrom(ref.status$)).toBe('COMPLETED');
    });

    test('the last unsubscription ends the looks', async () => {
      const { start, requests, reach } = open();
      const ref = await start('contract-slow', { ms: 60_000 });
      await reach(ref.id, 'RUNNING');
      const [a, b] = [watch(ref.status$), watch(ref.result$)];
      await eventually(() => a.values.length > 0);
      a.stop();
      const withOne = requests().length;
      await eventually(() => requests().length > withOne);
      b.stop();
      const sent = requests().length;
      await pause(300);
      expect(requests()).toHaveLength(sent);
      await one(ref.cancel());
    });

    test('a ref to a run that somebody else triggered this moment', async () => {
      const [mine, theirs] = [open(), open()];
      const { id } = await theirs.start('contract-quick', { n: 4 });
      expect(await one(mine.runs.getRunRef(id).result$)).toEqual({ ok: true, n: 4 });
    });

    test('FAILED is not told while a retry follows', async () => {
      const { start } = open();
      const ref = await start('contract-flaky');
      const [statuses, results] = [watch(ref.status$), watch(ref.result$)];
      await Promise.all([statuses.end, results.end]);
      expect(statuses.values).not.toContain('FAILED');
      expect(statuses.values.at(-1)).toBe('COMPLETED');
      expect(results.values).toEqual([{ attempt: 2 }]);
    });

    test('FAILED is not told while a retry waits for its time', async () => {
      const { runs, start } = open();
      const ref = await start('contract-backoff');
      const course = watch(ref.status$);
      await expect
        .poll(async () => (await one(runs.getTaskEvents(ref.id))).map(({ eventType }) => eventType), {
          timeout: 10_000,
        })
        .toContain('RETRYING');
      await pause(500);
      expect(course.ended).toBe('no');
      expect(course.values).not.toContain('FAILED');
      await one(ref.cancel());
      await course.end;
      expect(course.values.at(-1)).toBe('CANCELLED');
      expect(course.ended).toBe('complete');
    });

    test('a run whose retries are spent fails', async () => {
      const { start } = open();
      const ref = await start('contract-fail-retries');
      const statuses = watch(ref.status$);
      const error = await errorWithTag('RunFailedError', ref.result$);
      await statuses.end;
      expect(statuses.values.at(-1)).toBe('FAILED');
      expect(statuses.values.filter((status) => status === 'FAILED')).toHaveLength(1);
      expect(error).toMatchObject({ operation: 'ref.result$', runId: ref.id, retryable: false });
      expect(error.taskErrors).toMatchObject([{ attempts: 3, message: expect.stringContaining('it broke again') }]);
    });

    test('a failure that forbids retries settles, though retries are left', async () => {
      const { start } = open();
      const ref = await start('contract-nonretryable');
      const error = await errorWithTag('RunFailedError', ref.result$);
      expect(error.taskErrors).toMatchObject([{ attempts: 1, message: expect.stringContaining('never again') }]);
    });

    test('a task that runs out of time fails, without a text', async () => {
      const { start } = open();
      const ref = await start('contract-timeout');
      const error = await errorWithTag('RunFailedError', ref.result$);
      expect(error.taskErrors).toMatchObject([{ taskName: 'contract-timeout', attempts: 1 }]);
    });

    test('a cancelled run ends as CANCELLED', async () => {
      const { start } = open();
      const ref = await start('contract-slow', { ms: 60_000 });
      const [statuses, failure] = [watch(ref.status$), errorWithTag('RunCancelledError', ref.result$)];
      await eventually(() => statuses.values.includes('RUNNING'));
      await one(ref.cancel());
      await statuses.end;
      expect(statuses.values.at(-1)).toBe('CANCELLED');
      expect(statuses.ended).toBe('complete');
      expect((await failure).runId).toBe(ref.id);
    });

    test('the result of a DAG', async () => {
      const { start } = open();
      const ref = await start('contract-dag');
      expect(await one(ref.result$)).toEqual({ first: { step: 1 }, second: { step: 2, got: { step: 1 } } });
    });

    test('the failure of a DAG names the step', async () => {
      const { start } = open();
      const ref = await start('contract-dag-fail');
      const statuses = watch(ref.status$);
      const error = await errorWithTag('RunFailedError', ref.result$);
      expect(error.taskErrors).toMatchObject([
        { taskName: 'bad', attempts: 1, message: expect.stringContaining('the step broke') },
      ]);
      await statuses.end;
      expect(statuses.values.at(-1)).toBe('FAILED');
    });

    test('a parent ends after its children', async () => {
      const { start } = open();
      const ref = await start('contract-parent', { children: 5 });
      expect(await one(ref.result$)).toEqual({ children: 5 });
    });

    test('waitTimeoutMs of the trigger ends a wait, with the last status', async () => {
      const { runs, reach } = open();
      const ref = await one(runs.trigger('contract-slow', { ms: 60_000 }, { waitTimeoutMs: 400 }));
      await reach(ref.id, 'RUNNING');
      const [error, other] = await Promise.all([
        errorWithTag('TimeoutError', ref.result$),
        errorWithTag('TimeoutError', ref.status$),
      ]);
      expect(error).toMatchObject({ lastStatus: 'RUNNING', runId: ref.id });
      expect(error.waitedMs).toBeGreaterThanOrEqual(390);
      expect(other.lastStatus).toBe('RUNNING');
      await one(ref.cancel());
    });

    test('waitTimeoutMs of the client counts from each subscription', async () => {
      const { start } = open({ waitTimeoutMs: 300 });
      const ref = await start('contract-slow', { ms: 60_000 });
      const first = watch(ref.status$);
      await pause(150);
      const second = watch(ref.status$);
      await first.end;
      expect(first.error).toMatchObject({ _tag: 'TimeoutError' });
      expect(second.ended).toBe('no');
      await second.end;
      expect(second.error).toMatchObject({ _tag: 'TimeoutError' });
      await one(ref.cancel());
    });

    test("a ref's decoder checks the output", async () => {
      const { runs, finish } = open();
      const { id } = await finish('contract-quick', { n: 1 });
      const output = t.type({ n: t.string });
      const error = await errorWithTag('DecodeError', runs.getRunRef(id, { output }).result$);
      expect(error).toMatchObject({ path: 'n', got: '1', runId: id });
      await errorWithTag('DecodeError', runs.getRunRef(id, { output }).result());
    });
  });
}
