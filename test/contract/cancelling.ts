import { mergeMap, range, switchMap } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { all, errorWithTag, one } from '../support/observe.ts';
import { idsOf, type Open, sorted, UNKNOWN_ID } from './session.ts';

export function cancelling(open: Open, queuedRun: () => Promise<string>): void {
  describe('cancel', () => {
    test('a running run is CANCELLED when the answer comes', async () => {
      const { runs, start, reach } = open();
      const { id } = await start('contract-slow', { ms: 60_000 });
      await reach(id, 'RUNNING');
      expect(await one(runs.cancel(id))).toEqual([id]);
      expect(await one(runs.getStatus(id))).toBe('CANCELLED');
    });

    test('a queued run', async () => {
      const { runs } = open();
      const id = await queuedRun();
      expect(await one(runs.cancel(id))).toEqual([id]);
      expect(await one(runs.getStatus(id))).toBe('CANCELLED');
    });

    test('a DAG, with the steps that are still to come', async () => {
      const { runs, start, reach } = open();
      const { id } = await start('contract-dag-slow', { ms: 60_000 });
      await reach(id, 'RUNNING');
      expect(await one(runs.cancel(id))).toEqual([id]);
      expect(await one(runs.getStatus(id))).toBe('CANCELLED');
      const { tasks } = await one(runs.get(id));
      expect(new Set(tasks.map(({ status }) => status))).toEqual(new Set(['CANCELLED']));
    });

    test('a run by the id of its step', async () => {
      const { runs, start, reach } = open();
      const ref = await start('contract-dag-slow', { ms: 60_000 });
      await reach(ref.id, 'RUNNING');
      const step = (await one(runs.get(ref.id))).tasks[0]?.taskExternalId ?? '';
      expect(await one(runs.cancel(step))).toEqual([step]);
      await errorWithTag('RunCancelledError', ref.result$);
    });

    test('right after the trigger: 60 runs, ten at a time', async () => {
      const { runs, tag, start } = open();
      const cancelled = await all(
        range(0, 60).pipe(
          mergeMap(async () => start('contract-slow', { ms: 60_000 }), 10),
          mergeMap((ref) => ref.cancel().pipe(switchMap((ids) => ids)), 10),
        ),
      );
      expect(cancelled).toHaveLength(60);
      const rows = await all(runs.listWithPagination({ additionalMetadata: tag }));
      expect(sorted(rows.map(({ metadata }) => metadata.id))).toEqual(sorted(cancelled));
      expect(rows.filter(({ status }) => status !== 'CANCELLED')).toEqual([]);
    });

    test('a finished run stays as it is', async () => {
      const { runs, finish } = open();
      const { id } = await finish('contract-quick');
      expect(await one(runs.cancel(id))).toEqual([id]);
      expect(await one(runs.getStatus(id))).toBe('COMPLETED');
      expect(await one(runs.getResult(id))).toMatchObject({ ok: true });
    });

    test('a run that does not exist', async () => {
      const { runs } = open();
      const error = await errorWithTag('RunNotFoundError', runs.cancel(UNKNOWN_ID));
      expect(error.runId).toBe(UNKNOWN_ID);
    });
  });

  describe('bulkCancel', () => {
    test('ids: running, queued and finished ones together', async () => {
      const { runs, start, finish } = open();
      const ids = [
        (await start('contract-slow', { ms: 60_000 })).id,
        (await start('contract-slow', { ms: 60_000 })).id,
        await queuedRun(),
        (await finish('contract-quick')).id,
      ];
      expect(sorted(await one(runs.bulkCancel({ ids })))).toEqual(sorted(ids));
      const statuses = await Promise.all(ids.map((id) => one(runs.getStatus(id))));
      expect(statuses).toEqual(['CANCELLED', 'CANCELLED', 'CANCELLED', 'COMPLETED']);
    });

    test('filters: only what lives and carries all the metadata', async () => {
      const { runs, tag, start, finish } = open();
      const kept = await start('contract-slow', { ms: 60_000 }, { group: 'b' });
      const chosen = [
        await start('contract-slow', { ms: 60_000 }, { group: 'a' }),
        await start('contract-slow', { ms: 60_000 }, { group: 'a' }),
      ];
      await finish('contract-quick');
      await expect
        .poll(() => all(runs.listIds({ additionalMetadata: tag, statuses: ['RUNNING', 'QUEUED'] })))
        .toHaveLength(3);
      const ids = await one(runs.bulkCancel({ filters: { additionalMetadata: { ...tag, group: 'a' } } }));
      expect(sorted(ids)).toEqual(idsOf(chosen));
      expect(await one(kept.status())).not.toBe('CANCELLED');
      await one(kept.cancel());
    });

    test('an unknown id among many does not pass as stopped', async () => {
      const { runs, startMany } = open();
      const ids = idsOf(await startMany(25, 'contract-slow', () => ({ ms: 60_000 })));
      const error = await errorWithTag('RunNotFoundError', runs.bulkCancel({ ids: [...ids, UNKNOWN_ID] }));
      expect(error.failures?.map(({ runId }) => runId)).toEqual([UNKNOWN_ID]);
      expect(sorted(error.affected ?? [])).toEqual(sorted(ids));
    });

    test('one id that does not exist fails, the others are cancelled, and the error says so', async () => {
      const { runs, start } = open();
      const { id } = await start('contract-slow', { ms: 60_000 });
      const error = await errorWithTag('RunNotFoundError', runs.bulkCancel({ ids: [UNKNOWN_ID, id] }));
      expect(error.failures).toMatchObject([{ runId: UNKNOWN_ID, error: { _tag: 'RunNotFoundError' } }]);
      expect(error.affected).toEqual([id]);
      expect(await one(runs.getStatus(id))).toBe('CANCELLED');
    });

    test('many ids', async () => {
      const { runs, startMany } = open();
      const ids = (await startMany(30, 'contract-slow', () => ({ ms: 60_000 }))).map(({ id }) => id);
      expect(sorted(await one(runs.bulkCancel({ ids })))).toEqual(sorted(ids));
      const statuses = await Promise.all(ids.map((id) => one(runs.getStatus(id))));
      expect(new Set(statuses)).toEqual(new Set(['CANCELLED']));
    });
  });
}
