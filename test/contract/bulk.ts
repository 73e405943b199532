import { describe, expect, test } from 'vitest';
import type { BulkEvent, BulkOptions } from '../../src/index.ts';
import { all, errorWithTag, eventually, one, pause, watch } from '../support/observe.ts';
import { idsOf, type Open, type Session, sorted } from './session.ts';

const forever = () => ({ ms: 60_000 });

/** Runs that are RUNNING, and known to the lists as such. */
async function running(session: Session, count: number): Promise<string[]> {
  const refs = await session.startMany(count, 'contract-slow', forever);
  await expect
    .poll(() => all(session.runs.listIds({ additionalMetadata: session.tag, statuses: ['RUNNING'] })), {
      timeout: 30_000,
    })
    .toHaveLength(count);
  return idsOf(refs);
}

const statusesOf = async ({ runs }: Session, ids: readonly string[]): Promise<string[]> =>
  Promise.all(ids.map((id) => one(runs.getStatus(id))));

const ofType = <T extends BulkEvent['type']>(events: readonly BulkEvent[], type: T) =>
  events.filter((event): event is Extract<BulkEvent, { type: T }> => event.type === type);

export function bulk(open: Open): void {
  describe('bulkCancelByFiltersWithPagination', () => {
    test('plan, chunks with pauses between them, done; all of them CANCELLED', async () => {
      const session = open();
      const { runs, tag, told, posts } = session;
      const ids = await running(session, 25);
      const before = posts().length;
      const since = new Date(Date.now() - 60_000);
      const events = await all(
        runs.bulkCancelByFiltersWithPagination({ additionalMetadata: tag, chunkSize: 10, sleepTime: 15, since }),
      );
      expect(events.map(({ type }) => type)).toEqual(['plan', 'chunk', 'chunk', 'chunk', 'done']);
      expect(events[0]).toMatchObject({ total: 25, since });
      const chunks = ofType(events, 'chunk');
      expect(chunks.map(({ index, done, total, ids: part }) => [index, part.length, done, total])).toEqual([
        [0, 10, 10, 25],
        [1, 10, 20, 25],
        [2, 5, 25, 25],
      ]);
      expect(sorted(chunks.flatMap(({ affected }) => affected))).toEqual(ids);
      expect(events.at(-1)).toEqual({ type: 'done', total: 25, affected: 25, failed: 0, failedIds: [] });
      // Between chunks, and not after the last.
      expect(told.filter((d) => d.type === 'wait' && d.reason === 'between-chunks')).toMatchObject([
        { ms: 15 },
        { ms: 15 },
      ]);
      expect(posts().length - before).toBeGreaterThanOrEqual(3);
      expect(new Set(await statusesOf(session, ids))).toEqual(new Set(['CANCELLED']));
    });

    test('takes RUNNING and QUEUED runs only, unless told otherwise', async () => {
      const session = open();
      const { runs, tag, finish } = session;
      const [id] = await running(session, 1);
      await finish('contract-quick');
      const events = await all(runs.bulkCancelByFiltersWithPagination({ additionalMetadata: tag, sleepTime: 1 }));
      expect(ofType(events, 'chunk').flatMap(({ ids }) => ids)).toEqual([id]);
    });

    test('a dry run tells the same and does nothing', async () => {
      const session = open();
      const { runs, tag, posts } = session;
      const ids = await running(session, 5);
      const before = posts().length;
      const events = await all(
        runs.bulkCancelByFiltersWithPagination({
          additionalMetadata: tag,
          chunkSize: 2,
          dryRun: true,
          sleepTime: 60_000,
        }),
      );
      expect(events.map(({ type }) => type)).toEqual(['plan', 'chunk', 'chunk', 'chunk', 'done']);
      expect(sorted(ofType(events, 'chunk').flatMap((chunk) => chunk.ids))).toEqual(ids);
      expect(events.at(-1)).toMatchObject({ total: 5, affected: 0, failed: 0 });
      expect(posts()).toHaveLength(before);
      expect(new Set(await statusesOf(session, ids))).toEqual(new Set(['RUNNING']));
      await one(runs.bulkCancel({ ids }));
    });

    test('several metadata pairs must all match', async () => {
      const session = open();
      const { runs, tag, start } = session;
      const mine = await start('contract-slow', forever(), { owner: 'me' });
      const theirs = await start('contract-slow', forever(), { owner: 'them' });
      await expect.poll(() => all(runs.listIds({ additionalMetadata: tag }))).toHaveLength(2);
      const events = await all(
        runs.bulkCancelByFiltersWithPagination({ additionalMetadata: { ...tag, owner: 'me' }, sleepTime: 1 }),
      );
      expect(ofType(events, 'chunk').map(({ ids }) => ids)).toEqual([[mine.id]]);
      expect(await one(theirs.status())).not.toBe('CANCELLED');
      await one(theirs.cancel());
    });

    test('without verify: one request per chunk', async () => {
      const session = open();
      const { runs, tag, requests } = session;
      const ids = await running(session, 4);
      const before = requests().length;
      const events = await all(
        runs.bulkCancelByFiltersWithPagination({ additionalMetadata: tag, chunkSize: 2, verify: false, sleepTime: 1 }),
      );
      expect(requests().length - before).toBe(3);
      expect(events.at(-1)).toMatchObject({ type: 'done', affected: 4 });
      await eventually(async () => (await statusesOf(session, ids)).every((status) => status === 'CANCELLED'));
    });

    test('unsubscribing stops: no chunk after it', async () => {
      const session = open();
      const { runs, tag, posts } = session;
      const ids = await running(session, 6);
      const course = watch(
        runs.bulkCancelByFiltersWithPagination({ additionalMetadata: tag, chunkSize: 2, sleepTime: 100 }),
      );
      await eventually(() => ofType(course.values, 'chunk').length === 1);
      course.stop();
      const sent = posts().length;
      await pause(400);
      expect(posts()).toHaveLength(sent);
      const statuses = await statusesOf(session, ids);
      expect(statuses.filter((status) => status === 'CANCELLED')).toHaveLength(2);
      await one(runs.bulkCancel({ ids }));
    });

    test('nothing to do: a plan of nothing, and done', async () => {
      const { runs, tag, posts } = open();
      const events = await all(runs.bulkCancelByFiltersWithPagination({ additionalMetadata: tag }));
      expect(events).toMatchObject([
        { type: 'plan', total: 0 },
        { type: 'done', total: 0, affected: 0 },
      ]);
      expect(posts()).toEqual([]);
    });

    test('an unknown workflow is an error before the plan', async () => {
      const { runs, posts } = open();
      const options: BulkOptions = { workflowNames: ['contract-no-such-workflow'] };
      for (const stream of [
        runs.bulkCancelByFiltersWithPagination(options),
        runs.bulkReplayByFiltersWithPagination(options),
      ]) {
        const course = watch(stream);
        await course.end;
        expect(course.error).toMatchObject({ _tag: 'WorkflowNotFoundError' });
        expect(course.values).toEqual([]);
      }
      expect(posts()).toEqual([]);
    });

    test('workflows by name', async () => {
      const session = open();
      const { runs, tag, start } = session;
      const [single = ''] = await running(session, 1);
      const dag = await start('contract-dag-slow', forever());
      await session.reach(dag.id, 'RUNNING');
      const events = await all(
        runs.bulkCancelByFiltersWithPagination({
          additionalMetadata: tag,
          workflowNames: ['contract-dag-slow'],
          sleepTime: 1,
        }),
      );
      expect(ofType(events, 'chunk').flatMap(({ ids }) => ids)).toEqual([dag.id]);
      expect(await one(dag.status())).toBe('CANCELLED');
      await one(runs.cancel(single));
    });
  });

  describe('bulkReplayByFiltersWithPagination', () => {
    test('what failed or was cancelled gets a new attempt', async () => {
      const session = open();
      const { runs, tag, startMany, start } = session;
      const failed = await startMany(11, 'contract-second-time');
      const cancelled = await start('contract-slow', { ms: 1_000 });
      await one(cancelled.cancel());
      await start('contract-quick');
      await expect
        .poll(() => all(runs.listIds({ additionalMetadata: tag, statuses: ['FAILED', 'CANCELLED'] })), {
          timeout: 30_000,
        })
        .toHaveLength(12);
      const events = await all(
        runs.bulkReplayByFiltersWithPagination({ additionalMetadata: tag, chunkSize: 5, sleepTime: 'adaptive' }),
      );
      expect(events.map(({ type }) => type)).toEqual(['plan', 'chunk', 'chunk', 'chunk', 'done']);
      expect(events.at(-1)).toMatchObject({ total: 12, affected: 12, failed: 0, failedIds: [] });
      for (const ref of [...failed, cancelled]) await one(ref.result$);
    });
  });

  describe('a selection', () => {
    test.for<[string, unknown]>([
      ['nothing', {}],
      ['undefined', undefined],
      ['no ids', { ids: [] }],
      ['an empty filter', { filters: {} }],
      ['a filter of nothing', { filters: { statuses: undefined, additionalMetadata: {} } }],
      ['both', { ids: [crypto.randomUUID()], filters: { statuses: ['FAILED'] } }],
      ['a malformed id', { ids: [crypto.randomUUID(), 'abc'] }],
      ['tasks', { filters: { onlyTasks: true } }],
      ['a worker', { filters: { workerId: crypto.randomUUID() } }],
    ])('%s is a ConfigError, and nothing is sent', async ([, selection]) => {
      const { runs, requests } = open();
      await errorWithTag('ConfigError', runs.bulkCancel(selection as never));
      await errorWithTag('ConfigError', runs.bulkReplay(selection as never));
      expect(requests()).toEqual([]);
    });

    test.for<[string, object]>([
      ['a chunk of nothing', { chunkSize: 0 }],
      ['a negative pause', { sleepTime: -1 }],
      ['a pause in words', { sleepTime: 'long' }],
      ['an unknown option', { chunks: 5 }],
      ['an unknown status', { statuses: ['DONE'] }],
      ['tasks', { onlyTasks: true }],
    ])('%s is a ConfigError, and nothing is sent', async ([, options]) => {
      const { runs, requests } = open();
      await errorWithTag('ConfigError', runs.bulkCancelByFiltersWithPagination(options));
      await errorWithTag('ConfigError', runs.bulkReplayByFiltersWithPagination(options));
      expect(requests()).toEqual([]);
    });
  });
}
