import { from, mergeMap } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { all, errorWithTag, one, watch } from '../support/observe.ts';
import { type Open, sorted, UNKNOWN_ID } from './session.ts';

export function replaying(open: Open, queuedRun: () => Promise<string>): void {
  describe('replay', () => {
    test('revives a failed run; result$ waits for the new attempt', async () => {
      const { runs, start } = open();
      const ref = await start('contract-second-time', { ms: 300 });
      await errorWithTag('RunFailedError', ref.result$);
      expect(await one(ref.replay())).toEqual([ref.id]);
      const statuses = watch(ref.status$);
      expect(await one(ref.result$)).toEqual({ attempt: 1 });
      await statuses.end;
      expect(statuses.values.at(-1)).toBe('COMPLETED');
      expect(statuses.values).not.toContain('FAILED');
      expect(await one(runs.getTaskRun(ref.id))).toMatchObject({ attempt: 2, retryCount: 1 });
    });

    test('of a completed run: the old output is never given as the new one', async () => {
      const { runs, start } = open();
      const ref = await start('contract-attempt', { ms: 300 });
      expect(await one(ref.result$)).toEqual({ attempt: 0 });
      await one(runs.replay(ref.id));
      expect(await one(ref.result$)).toEqual({ attempt: 1 });
    });

    test('of a cancelled run', async () => {
      const { start } = open();
      const ref = await start('contract-slow', { ms: 200 });
      await one(ref.cancel());
      await errorWithTag('RunCancelledError', ref.result$);
      expect(await one(ref.replay())).toEqual([ref.id]);
      expect(await one(ref.result$)).toEqual({ slept: 200 });
    });

    test('of a queued run', async () => {
      const { runs } = open();
      const id = await queuedRun();
      expect(await one(runs.replay(id))).toEqual([id]);
      expect((await one(runs.getTaskRun(id))).attempt).toBe(2);
      await one(runs.cancel(id));
    });

    test('of a DAG: every step has a new attempt', async () => {
      const { runs, finish } = open();
      const ref = await finish('contract-dag');
      expect(await one(ref.replay())).toEqual([ref.id]);
      expect(await one(ref.result$)).toEqual({ first: { step: 1 }, second: { step: 2, got: { step: 1 } } });
      const { tasks } = await one(runs.get(ref.id));
      expect(tasks.map(({ attempt }) => attempt)).toEqual([2, 2]);
    });

    test('of a failed DAG: the old failure is never given as the new one', async () => {
      const { finish } = open();
      const ref = await finish('contract-dag-fail');
      await one(ref.replay());
      const error = await errorWithTag('RunFailedError', ref.result$);
      expect(error.taskErrors).toMatchObject([{ taskName: 'bad', attempts: 2 }]);
    });

    test('of a step: it and those after it', async () => {
      const { runs, finish } = open();
      const ref = await finish('contract-dag');
      const { tasks } = await one(runs.get(ref.id));
      const second = tasks.find(({ displayName }) => displayName.startsWith('second'))?.taskExternalId ?? '';
      expect(await one(runs.replay(second))).toEqual([second]);
      await one(ref.result$);
      const after = (await one(runs.get(ref.id))).tasks;
      expect(after.find(({ taskExternalId }) => taskExternalId === second)?.attempt).toBe(2);
      expect(after.find(({ taskExternalId }) => taskExternalId !== second)?.attempt).toBe(1);
    });

    test('a run whose replay fails with all its retries fails', async () => {
      const { start } = open();
      const ref = await start('contract-fail-retries');
      await errorWithTag('RunFailedError', ref.result$);
      await one(ref.replay());
      const error = await errorWithTag('RunFailedError', ref.result$);
      expect(error.taskErrors).toMatchObject([{ attempts: 6 }]);
    });

    test('a running run is refused', async () => {
      const { runs, start, reach } = open();
      const ref = await start('contract-slow', { ms: 60_000 });
      await reach(ref.id, 'RUNNING');
      const error = await errorWithTag('RunNotFinishedError', runs.replay(ref.id));
      expect(error.runStatus).toBe('RUNNING');
      expect((await one(runs.getTaskRun(ref.id))).attempt).toBe(1);
      await one(ref.cancel());
    });

    test('a run that does not exist', async () => {
      const { runs, posts } = open();
      await errorWithTag('RunNotFoundError', runs.replay(UNKNOWN_ID));
      expect(posts()).toEqual([]);
    });

    test('40 at once: each gets a new attempt', async () => {
      const { runs, startMany, reach } = open();
      const ids = (await startMany(40, 'contract-quick')).map(({ id }) => id);
      await Promise.all(ids.map((id) => reach(id, 'COMPLETED')));
      const replayed = await all(
        from(ids).pipe(
          mergeMap((id) => runs.replay(id)),
          mergeMap((answer) => answer),
        ),
      );
      expect(sorted(replayed)).toEqual(sorted(ids));
      const tasks = await Promise.all(ids.map((id) => one(runs.getTaskRun(id))));
      expect(tasks.filter(({ attempt = 0 }) => attempt < 2)).toEqual([]);
    });
  });

  describe('bulkReplay', () => {
    test('300 ids: every one gets a new attempt', async () => {
      const { runs, startMany, tag } = open();
      const ids = (await startMany(300, 'contract-quick')).map(({ id }) => id);
      await expect
        .poll(() => all(runs.listIds({ additionalMetadata: tag, statuses: ['COMPLETED'] })), { timeout: 30_000 })
        .toHaveLength(300);
      expect(sorted(await one(runs.bulkReplay({ ids })))).toEqual(sorted(ids));
      const tasks = await all(from(ids).pipe(mergeMap((id) => runs.getTaskRun(id), 8)));
      expect(tasks.filter(({ attempt = 0 }) => attempt < 2)).toEqual([]);
    });

    test('filters: what failed, by all the metadata', async () => {
      const { runs, start, tag } = open();
      const chosen = await start('contract-second-time', {}, { group: 'a' });
      const other = await start('contract-second-time', {}, { group: 'b' });
      const good = await start('contract-quick', {}, { group: 'a' });
      await Promise.all([
        errorWithTag('RunFailedError', chosen.result$),
        errorWithTag('RunFailedError', other.result$),
        one(good.result$),
      ]);
      expect(await one(runs.bulkReplay({ filters: { additionalMetadata: { ...tag, group: 'a' } } }))).toEqual([
        chosen.id,
      ]);
      expect(await one(chosen.result$)).toEqual({ attempt: 1 });
      expect((await one(runs.getTaskRun(other.id))).attempt).toBe(1);
      expect((await one(runs.getTaskRun(good.id))).attempt).toBe(1);
    });

    test('what cannot be replayed fails with its reason, the rest is replayed', async () => {
      const { runs, start, finish, reach } = open();
      const running = await start('contract-slow', { ms: 60_000 });
      const { id } = await finish('contract-quick');
      await reach(running.id, 'RUNNING');
      const error = await errorWithTag('RunNotFoundError', runs.bulkReplay({ ids: [UNKNOWN_ID, id, running.id] }));
      expect(error.affected).toEqual([id]);
      const reasons = Object.fromEntries((error.failures ?? []).map((failure) => [failure.runId, failure.error._tag]));
      expect(reasons).toEqual({ [UNKNOWN_ID]: 'RunNotFoundError', [running.id]: 'RunNotFinishedError' });
      await one(running.cancel());
    });
  });
}
