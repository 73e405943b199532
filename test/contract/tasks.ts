import { describe, expect, test } from 'vitest';
import { all, errorWithTag, one } from '../support/observe.ts';
import { type Open, UNKNOWN_ID } from './session.ts';

export function tasks(open: Open): void {
  describe('getTaskEvents', () => {
    test("a task's history, newest first", async () => {
      const { runs, finish } = open();
      const { id } = await finish('contract-flaky');
      const events = await one(runs.getTaskEvents(id));
      const types = events.map(({ eventType }) => eventType);
      for (const type of ['QUEUED', 'ASSIGNED', 'SENT_TO_WORKER', 'STARTED', 'FAILED', 'RETRYING', 'FINISHED']) {
        expect(types).toContain(type);
      }
      expect(types.filter((type) => type === 'FAILED')).toHaveLength(2);
      const times = events.map(({ timestamp }) => timestamp.getTime());
      expect(times).toEqual(times.toSorted((a, b) => b - a));
      expect(Math.max(...events.map(({ retryCount = 0 }) => retryCount))).toBe(2);
      expect(events.find(({ eventType }) => eventType === 'FAILED')?.errorMessage).toContain('broke');
    });
  });

  describe('getTaskLogs', () => {
    test('what a task logged, oldest first', async () => {
      const { runs, finish } = open();
      const { id } = await finish('contract-logs', { lines: 4 });
      await expect.poll(() => one(runs.getTaskLogs(id)), { timeout: 10_000 }).toHaveLength(4);
      const lines = await one(runs.getTaskLogs(id));
      expect(lines.map(({ message }) => message)).toEqual(['line 0', 'line 1', 'line 2', 'line 3']);
      expect(lines[0]?.createdAt).toBeInstanceOf(Date);
      const some = async (filter: Parameters<typeof runs.getTaskLogs>[1]) =>
        (await one(runs.getTaskLogs(id, filter))).map(({ message }) => message);
      expect(await some({ limit: 2 })).toEqual(['line 0', 'line 1']);
      expect(await some({ order: 'DESC', limit: 1 })).toEqual(['line 3']);
      expect(await some({ search: 'line 2' })).toEqual(['line 2']);
      expect(await some({ levels: ['ERROR'] })).toEqual([]);
      expect(await some({ attempt: 1, levels: ['INFO'] })).toHaveLength(4);
      expect(await some({ attempt: 2 })).toEqual([]);
      expect(await some({ until: new Date(Date.now() - 60_000) })).toEqual([]);
    });

    test('wrong limits are a ConfigError, and nothing is sent', async () => {
      const { runs, requests } = open();
      await errorWithTag('ConfigError', runs.getTaskLogs(UNKNOWN_ID, { limit: 0 }));
      await errorWithTag('ConfigError', runs.getTaskLogs(UNKNOWN_ID, { attempt: 0 }));
      expect(requests()).toEqual([]);
    });
  });

  describe('getTimings', () => {
    test('each task of a run, and the runs below it', async () => {
      const { runs, finish } = open();
      const dag = await finish('contract-dag');
      const steps = await one(runs.getTimings(dag.id));
      expect(steps.map(({ status, attempt }) => [status, attempt])).toEqual([
        ['COMPLETED', 1],
        ['COMPLETED', 1],
      ]);
      for (const step of steps) expect(step.startedAt).toBeInstanceOf(Date);

      const parent = await finish('contract-parent', { children: 3 });
      expect(await one(runs.getTimings(parent.id))).toHaveLength(1);
      // A child may be readable later than its parent has ended.
      await expect
        .poll(async () => (await one(runs.getTimings(parent.id, { depth: 1 }))).map(({ depth }) => depth))
        .toEqual([0, 1, 1, 1]);
    });

    test('a depth that the server refuses is a ConfigError, and nothing is sent', async () => {
      const { runs, requests } = open();
      await errorWithTag('ConfigError', runs.getTimings(UNKNOWN_ID, { depth: 11 }));
      await errorWithTag('ConfigError', runs.getTimings(UNKNOWN_ID, { depth: -1 }));
      expect(requests()).toEqual([]);
    });
  });

  describe('getMetrics', () => {
    test('how many runs have each status', async () => {
      const { runs, tag, finish } = open();
      await finish('contract-quick');
      await finish('contract-quick');
      await finish('contract-fail');
      await finish('contract-dag');
      const counts = async (filter: Parameters<typeof runs.getMetrics>[0]) =>
        Object.fromEntries((await one(runs.getMetrics(filter))).map(({ status, count }) => [status, count]));
      await expect
        .poll(() => counts({ additionalMetadata: tag }))
        .toEqual({ COMPLETED: 3, FAILED: 1, CANCELLED: 0, QUEUED: 0, RUNNING: 0 });
      expect(await counts({ additionalMetadata: tag, workflowNames: ['contract-quick'] })).toMatchObject({
        COMPLETED: 2,
        FAILED: 0,
      });
      await errorWithTag('WorkflowNotFoundError', runs.getMetrics({ workflowNames: ['contract-no-such-workflow'] }));
    });

    test('several metadata pairs, which the server would join by OR, are a ConfigError', async () => {
      const { runs, requests } = open();
      await errorWithTag('ConfigError', runs.getMetrics({ additionalMetadata: { a: '1', b: '2' } }));
      expect(requests()).toEqual([]);
    });
  });

  describe('restoreTask and branchDurableTask', () => {
    test('restoreTask', async () => {
      const { runs, finish, posts } = open();
      const { id } = await finish('contract-durable');
      const before = posts().length;
      expect(await one(runs.restoreTask(id))).toEqual({ requeued: true });
      expect(posts().length - before).toBe(1);
      await errorWithTag('RunNotFoundError', runs.restoreTask(UNKNOWN_ID));
    });

    test('branchDurableTask', async () => {
      const { runs, finish } = open();
      const { id } = await finish('contract-durable');
      const branch = await one(runs.branchDurableTask({ taskExternalId: id, nodeId: 1, branchId: 1 }));
      expect(branch).toMatchObject({ taskExternalId: id, nodeId: 1 });
      expect(branch.branchId).toBeGreaterThan(1);
      await errorWithTag(
        'RunNotFoundError',
        runs.branchDurableTask({ taskExternalId: UNKNOWN_ID, nodeId: 1, branchId: 1 }),
      );
      await errorWithTag('ConfigError', runs.branchDurableTask({ taskExternalId: id, nodeId: -1, branchId: 1 }));
    });

    test('are cold', async () => {
      const { runs, requests } = open();
      const operations = [
        runs.restoreTask(UNKNOWN_ID),
        runs.branchDurableTask({ taskExternalId: UNKNOWN_ID, nodeId: 1, branchId: 1 }),
      ];
      expect(operations).toHaveLength(2);
      expect(requests()).toEqual([]);
      expect(await all(runs.getMetrics())).toHaveLength(1);
    });
  });
}
