import { lastValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { errorWithTag, one } from '../support/observe.ts';
import type { Open } from './session.ts';

export function reads(open: Open): void {
  describe('get, getStatus, getTaskRun, getResult', () => {
    test('a run that has ended', async () => {
      const { runs, finish } = open();
      const { id } = await finish('contract-quick', { n: 7 });

      const details = await one(runs.get(id));
      expect(details.run.metadata.id).toBe(id);
      expect(details.run.status).toBe('COMPLETED');
      expect(details.run.metadata.createdAt).toBeInstanceOf(Date);
      expect(details.tasks.map(({ taskExternalId }) => taskExternalId)).toEqual([id]);
      expect(details.shape).toHaveLength(1);
      expect(details.workflowConfig?.Tasks.map(({ Retries }) => Retries)).toEqual([0]);

      expect(await one(runs.getStatus(id))).toBe('COMPLETED');

      const task = await one(runs.getTaskRun(id));
      expect(task).toMatchObject({
        status: 'COMPLETED',
        input: { n: 7 },
        output: { ok: true, n: 7 },
        attempt: 1,
        retryCount: 0,
      });
      // A zero time is no time.
      expect(task.createdAt).toBeUndefined();
      expect(task.startedAt).toBeInstanceOf(Date);

      expect(await one(runs.getResult(id))).toEqual({ ok: true, n: 7 });
    });

    test('are cold, one request each; getResult two', async () => {
      const { runs, finish, requests } = open();
      const { id } = await finish('contract-quick');
      const sent = requests().length;
      const [details, status, task, result] = [
        runs.get(id),
        runs.getStatus(id),
        runs.getTaskRun(id),
        runs.getResult(id),
      ];
      expect(requests()).toHaveLength(sent);
      await one(details);
      await one(status);
      await one(task);
      expect(requests()).toHaveLength(sent + 3);
      await one(result);
      expect(requests()).toHaveLength(sent + 5);
    });

    test('a run that was triggered this moment is waited for, not a 404', async () => {
      const { runs, start } = open();
      const { id } = await start('contract-quick');
      expect((await one(runs.get(id))).run.metadata.id).toBe(id);
      const second = await start('contract-quick');
      expect(['QUEUED', 'RUNNING', 'COMPLETED']).toContain(await one(runs.getStatus(second.id)));
      const third = await start('contract-quick');
      expect((await one(runs.getTaskRun(third.id))).taskExternalId).toBe(third.id);
    });

    test('the result of a DAG holds every step under its name', async () => {
      const { runs, finish } = open();
      const { id } = await finish('contract-dag');
      expect(await one(runs.getResult(id))).toEqual({ first: { step: 1 }, second: { step: 2, got: { step: 1 } } });

      const { tasks, shape } = await one(runs.get(id));
      expect(tasks).toHaveLength(2);
      expect(shape.map(({ taskName }) => taskName).sort()).toEqual(['first', 'second']);
      const first = tasks.find(({ displayName }) => displayName.startsWith('first'));
      const step = await one(runs.getTaskRun(first?.taskExternalId ?? ''));
      expect(step).toMatchObject({ output: { step: 1 }, workflowRunExternalId: id });
      await errorWithTag('RunNotFoundError', runs.getTaskRun(id));
    });

    test('no result while the run goes on', async () => {
      const { runs, start, reach } = open();
      const ref = await start('contract-slow', { ms: 60_000 });
      await reach(ref.id, 'RUNNING');
      const error = await errorWithTag('RunNotFinishedError', runs.getResult(ref.id));
      expect(error).toMatchObject({ runStatus: 'RUNNING', runId: ref.id, operation: 'runs.getResult' });
      await one(ref.cancel());
    });

    test('no result between two attempts', async () => {
      const { runs, start } = open();
      const ref = await start('contract-backoff');
      // The first attempt is over when its history says so.
      await expect
        .poll(async () => (await one(runs.getTaskEvents(ref.id))).map(({ eventType }) => eventType), {
          timeout: 10_000,
        })
        .toContain('RETRYING');
      await errorWithTag('RunNotFinishedError', runs.getResult(ref.id));
      await one(ref.cancel());
    });

    test('the error of a failed run', async () => {
      const { runs, finish } = open();
      const { id } = await finish('contract-fail');
      const error = await errorWithTag('RunFailedError', runs.getResult(id));
      expect(error.taskErrors).toEqual([
        { taskRunId: id, taskName: 'contract-fail', attempts: 1, message: expect.stringContaining('it broke') },
      ]);
      expect(error.taskErrors[0]?.message).not.toContain('__hatchet_error_metadata__');
      expect(error.message).toContain('it broke');
    });

    test('a cancelled run has no result', async () => {
      const { runs, start } = open();
      const ref = await start('contract-slow', { ms: 60_000 });
      await one(ref.cancel());
      const error = await errorWithTag('RunCancelledError', runs.getResult(ref.id));
      expect(error).toMatchObject({ runId: ref.id, retryable: false });
    });

    test('a ref gives the same', async () => {
      const { runs, finish } = open();
      const { id } = await finish('contract-quick', { n: 2 });
      const ref = runs.getRunRef(id);
      expect(await one(ref.status())).toBe('COMPLETED');
      expect(await one(ref.result())).toEqual({ ok: true, n: 2 });
      expect((await one(ref.details$)).run.metadata.id).toBe(id);
      expect(await lastValueFrom(ref.result$)).toEqual({ ok: true, n: 2 });
    });
  });
}
