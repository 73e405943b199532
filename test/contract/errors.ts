import type { Observable } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { RunsClient } from '../../src/index.ts';
import { errorOf, errorWithTag, one } from '../support/observe.ts';
import { type Open, UNKNOWN_ID } from './session.ts';

/** Every operation that names one run or task. */
const ABOUT_ONE: Readonly<Record<string, (runs: RunsClient, id: string) => Observable<unknown>>> = {
  'runs.get': (runs, id) => runs.get(id),
  'runs.getStatus': (runs, id) => runs.getStatus(id),
  'runs.getTaskRun': (runs, id) => runs.getTaskRun(id),
  'runs.getResult': (runs, id) => runs.getResult(id),
  'runs.cancel': (runs, id) => runs.cancel(id),
  'runs.replay': (runs, id) => runs.replay(id),
  'runs.getTaskEvents': (runs, id) => runs.getTaskEvents(id),
  'runs.getTaskLogs': (runs, id) => runs.getTaskLogs(id),
  'runs.getTimings': (runs, id) => runs.getTimings(id),
  'runs.restoreTask': (runs, id) => runs.restoreTask(id),
  'runs.branchDurableTask': (runs, id) => runs.branchDurableTask({ taskExternalId: id, nodeId: 1, branchId: 1 }),
  'ref.status$': (runs, id) => runs.getRunRef(id).status$,
  'ref.result$': (runs, id) => runs.getRunRef(id).result$,
};

const WRONG_TOKEN = 'not-the-token-of-anybody';

export function errors(open: Open): void {
  describe('errors', () => {
    test('an unknown id is a RunNotFoundError, whatever is asked', async () => {
      const { runs } = open();
      await Promise.all(
        Object.values(ABOUT_ONE).map(async (operation) => {
          const error = await errorWithTag('RunNotFoundError', operation(runs, UNKNOWN_ID));
          expect(error).toMatchObject({ runId: UNKNOWN_ID, retryable: false });
          expect(error.message).toContain(UNKNOWN_ID);
        }),
      );
    });

    test.for(Object.entries(ABOUT_ONE))(
      '%s of a malformed id is a ConfigError, and nothing is sent',
      async ([, operation]) => {
        const { runs, requests } = open();
        for (const id of ['abc', '', '../tenants', `${UNKNOWN_ID}/status`, undefined as never]) {
          await errorWithTag('ConfigError', operation(runs, id));
        }
        expect(requests()).toEqual([]);
      },
    );

    test('a wrong token is an AuthenticationError, which does not tell it', async () => {
      const { hatchet, finish } = open();
      const { id } = await finish('contract-quick');
      const { runs } = open({ token: WRONG_TOKEN, tenantId: hatchet.tenantId });
      const operations: Observable<unknown>[] = [
        runs.list(),
        runs.listPages(),
        runs.listWithPagination(),
        runs.listIds(),
        runs.trigger('contract-quick', {}),
        runs.create('contract-quick', {}),
        runs.bulkCancel({ filters: { additionalMetadata: { no: 'body' } } }),
        runs.bulkReplayByFiltersWithPagination({ additionalMetadata: { no: 'body' } }),
        runs.getMetrics(),
        ...Object.values(ABOUT_ONE).map((operation) => operation(runs, id)),
      ];
      for (const operation of operations) {
        const error = await errorWithTag('AuthenticationError', operation);
        expect(error).toMatchObject({ status: 403, attempts: 1, retryable: false });
        expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(WRONG_TOKEN);
      }
    });

    test('a token function is asked once more when the server refuses, and the operation goes on', async () => {
      const { backend, hatchet } = open();
      const tokens = [WRONG_TOKEN, backend.token];
      let asked = 0;
      const token = () => tokens[asked++] ?? 'asked too often';
      const { runs, posts } = open({ token, tenantId: hatchet.tenantId });
      const ref = await one(runs.trigger('contract-quick', { n: 1 }));
      expect(await one(ref.result$)).toEqual({ ok: true, n: 1 });
      expect(asked).toBe(2);
      // The refused trigger did nothing, so to send it again is safe.
      expect(posts().length).toBeLessThanOrEqual(2);
    });

    test('a token function that has no better token is asked once more, and no more', async () => {
      const { hatchet } = open();
      let asked = 0;
      const token = () => {
        asked += 1;
        return `${WRONG_TOKEN}-${asked}`;
      };
      const { runs, requests } = open({ token, tenantId: hatchet.tenantId });
      const error = await errorWithTag('AuthenticationError', runs.list());
      expect(asked).toBe(2);
      expect(error.attempts).toBe(2);
      expect(requests()).toHaveLength(2);
    });

    test('a tenant that does not exist is an error, never an empty list', async () => {
      const { runs } = open({ tenantId: crypto.randomUUID() });
      const error = await errorOf(runs.list());
      expect(['AuthenticationError', 'HttpStatusError']).toContain(error._tag);
    });

    test('after close, everything is a ConfigError, and what was under way ends with one', async () => {
      const { hatchet, runs, start, reach } = open();
      const ref = await start('contract-slow', { ms: 60_000 });
      await reach(ref.id, 'RUNNING');
      const waiting = errorWithTag('ConfigError', ref.result$);
      await hatchet.close();
      expect((await waiting).message).toContain('closed');
      await errorWithTag('ConfigError', runs.list());
      await errorWithTag('ConfigError', ref.status$);
      const after = open();
      await one(after.runs.cancel(ref.id));
    });
  });
}
