import { describe, expect, test } from 'vitest';
import { eachValue, type RunFilter } from '../../src/index.ts';
import { all, errorWithTag, one } from '../support/observe.ts';
import { idsOf, type Open, type Session, sorted } from './session.ts';

/** Waits until all runs of the test are on the lists, and ended. */
async function settled({ runs, tag }: Session, count: number): Promise<void> {
  await expect
    .poll(() => all(runs.listIds({ additionalMetadata: tag, statuses: ['COMPLETED', 'FAILED', 'CANCELLED'] })), {
      timeout: 30_000,
    })
    .toHaveLength(count);
}

const idsIn = (rows: readonly { readonly metadata: { readonly id: string } }[]): string[] =>
  rows.map(({ metadata }) => metadata.id);

export function lists(open: Open): void {
  describe('list', () => {
    test('runs by metadata, newest first, with what was applied', async () => {
      const session = open();
      const { runs, tag, start } = session;
      const ids: string[] = [];
      for (let n = 0; n < 4; n += 1) ids.push((await start('contract-quick', { n })).id);
      await settled(session, 4);

      const page = await one(runs.list({ additionalMetadata: tag }));
      expect(idsIn(page.rows)).toEqual(ids.toReversed());
      expect(page.rows[0]).toMatchObject({ status: 'COMPLETED', output: { ok: true, n: 3 } });
      expect(page.rejected).toEqual([]);
      expect(page.applied).toMatchObject({
        limit: 50,
        offset: 0,
        onlyTasks: false,
        matchMetadata: 'all',
        includePayloads: true,
      });
      expect(Date.now() - page.applied.since.getTime()).toBeGreaterThanOrEqual(24 * 60 * 60 * 1_000);

      const middle = await one(runs.list({ additionalMetadata: tag, limit: 2, offset: 1, includePayloads: false }));
      expect(idsIn(middle.rows)).toEqual([ids[2], ids[1]]);
      expect(middle.rows[0]).toMatchObject({ input: {}, output: {} });
    });

    test('statuses', async () => {
      const session = open();
      const { runs, tag, start } = session;
      const [good, bad] = [await start('contract-quick'), await start('contract-fail')];
      await settled(session, 2);
      const having = async (...statuses: NonNullable<RunFilter['statuses']>) =>
        sorted(idsIn((await one(runs.list({ additionalMetadata: tag, statuses }))).rows));
      expect(await having('COMPLETED')).toEqual([good.id]);
      expect(await having('FAILED')).toEqual([bad.id]);
      expect(await having('FAILED', 'COMPLETED')).toEqual(idsOf([good, bad]));
      expect(await having('CANCELLED')).toEqual([]);
    });

    test('several metadata pairs must all match, unless any is asked for', async () => {
      const session = open();
      const { runs, tag, start } = session;
      const both = await start('contract-quick', {}, { colour: 'blue', size: 'big' });
      const blue = await start('contract-quick', {}, { colour: 'blue', size: 'small' });
      await start('contract-quick', {}, { colour: 'red', size: 'small' });
      await settled(session, 3);
      const wanted = { ...tag, colour: 'blue', size: 'big' };
      expect(idsIn((await one(runs.list({ additionalMetadata: wanted }))).rows)).toEqual([both.id]);
      expect(await all(runs.listIds({ additionalMetadata: wanted }))).toEqual([both.id]);
      expect(idsIn(await all(runs.listWithPagination({ additionalMetadata: wanted })))).toEqual([both.id]);

      const mine = { ...tag, [`${Object.values(tag)[0]}`]: 'nobody' };
      const filter: RunFilter = { additionalMetadata: mine, matchMetadata: 'any' };
      expect((await one(runs.list(filter))).rows).toHaveLength(3);
      expect(await all(runs.listIds(filter))).toHaveLength(3);
      expect(await all(runs.listIds({ additionalMetadata: mine }))).toEqual([]);
      expect(sorted(await all(runs.listIds({ additionalMetadata: { ...tag, colour: 'blue' } })))).toEqual(
        idsOf([both, blue]),
      );
    });

    test('workflows by exact name or by id', async () => {
      const session = open();
      const { runs, tag, start } = session;
      const quick = await start('contract-quick');
      await start('contract-attempt');
      await settled(session, 2);
      const byName = await one(runs.list({ additionalMetadata: tag, workflowNames: ['contract-quick'] }));
      expect(idsIn(byName.rows)).toEqual([quick.id]);
      expect(byName.applied).toMatchObject({
        workflowNames: ['contract-quick'],
        workflowIds: [byName.rows[0]?.workflowId],
      });
      const byId = await one(runs.list({ additionalMetadata: tag, workflowIds: byName.applied.workflowIds ?? [] }));
      expect(idsIn(byId.rows)).toEqual([quick.id]);

      const names: RunFilter = { workflowNames: ['contract-quick', 'contract-no-such-workflow'] };
      for (const listing of [
        runs.list(names),
        runs.listPages(names),
        runs.listWithPagination(names),
        runs.listIds(names),
      ]) {
        const error = await errorWithTag('WorkflowNotFoundError', listing);
        expect(error.workflowName).toBe('contract-no-such-workflow');
      }
    });

    test('the window is one of creation times, its ends included', async () => {
      const session = open();
      const { runs, tag, start } = session;
      const first = await start('contract-quick');
      await settled(session, 1);
      const [row] = (await one(runs.list({ additionalMetadata: tag }))).rows;
      const created = row?.metadata.createdAt ?? new Date(0);
      const later = new Date(created.getTime() + 1);
      const within = async (filter: RunFilter) => ({
        list: idsIn((await one(runs.list({ additionalMetadata: tag, ...filter }))).rows),
        ids: await all(runs.listIds({ additionalMetadata: tag, ...filter })),
      });
      expect(await within({ since: created, until: later })).toEqual({ list: [first.id], ids: [first.id] });
      expect(await within({ until: new Date(created.getTime() - 1) })).toEqual({ list: [], ids: [] });
      expect(await within({ since: later })).toEqual({ list: [], ids: [] });
    });

    test('tasks instead of runs: the steps of a DAG one by one', async () => {
      const { runs, tag, finish } = open();
      const { id } = await finish('contract-dag');
      const asRuns = await one(runs.list({ additionalMetadata: tag }));
      expect(idsIn(asRuns.rows)).toEqual([id]);
      expect(asRuns.rows[0]?.children).toHaveLength(2);
      const asTasks = await one(runs.list({ additionalMetadata: tag, onlyTasks: true }));
      expect(asTasks.rows).toHaveLength(2);
      expect(new Set(asTasks.rows.map((row) => row.workflowRunExternalId))).toEqual(new Set([id]));
      expect(sorted(await all(runs.listIds({ additionalMetadata: tag, onlyTasks: true })))).toEqual(
        sorted(idsIn(asTasks.rows)),
      );
    });

    test('tasks of one worker', async () => {
      const { runs, tag, finish } = open();
      const { id } = await finish('contract-quick');
      const workerId =
        (await one(runs.getTaskEvents(id))).find((event) => event.workerId !== undefined)?.workerId ?? '';
      expect(idsIn((await one(runs.list({ additionalMetadata: tag, workerId }))).rows)).toEqual([id]);
      const other = crypto.randomUUID();
      expect((await one(runs.list({ additionalMetadata: tag, workerId: other }))).rows).toEqual([]);
    });

    test('the children of a run', async () => {
      const { runs, finish } = open();
      const { id } = await finish('contract-parent', { children: 3 });
      // A child may be readable later than its parent has ended.
      await expect.poll(() => all(runs.listIds({ parentTaskExternalId: id }))).toHaveLength(3);
      const rows = await all(runs.listWithPagination({ parentTaskExternalId: id, pageSize: 2 }));
      expect(rows).toHaveLength(3);
      expect(new Set(rows.map((row) => row.parentTaskExternalId))).toEqual(new Set([id]));
      expect(sorted(await all(runs.listIds({ parentTaskExternalId: id })))).toEqual(sorted(idsIn(rows)));
    });

    test.for<[string, object]>([
      ['an unknown field', { status: 'FAILED' }],
      ['an unknown status', { statuses: ['NOPE'] }],
      ['a status in lower case', { statuses: ['failed'] }],
      ['statuses joined by a comma', { statuses: ['FAILED,CANCELLED'] }],
      ['no statuses at all', { statuses: [] }],
      ['metadata that is no text', { additionalMetadata: { n: 5 } }],
      ['a metadata key with a colon', { additionalMetadata: { 'a:b': 'c' } }],
      ['since after until', { since: new Date(2_000), until: new Date(1_000) }],
      ['an invalid date', { since: new Date(Number.NaN) }],
      ['a date as text', { since: '2026-01-01' }],
      ['a malformed workflow id', { workflowIds: ['abc'] }],
      ['a worker without tasks', { workerId: crypto.randomUUID(), onlyTasks: false }],
      ['a parent with tasks', { parentTaskExternalId: crypto.randomUUID(), onlyTasks: true }],
      ['an unknown running filter', { runningFilter: 'SOME' }],
    ])('%s is a ConfigError, and nothing is sent', async ([, filter]) => {
      const { runs, requests } = open();
      for (const listing of [
        runs.list(filter),
        runs.listPages(filter),
        runs.listWithPagination(filter),
        runs.listIds(filter),
        runs.bulkCancel({ filters: filter }),
        runs.bulkReplay({ filters: filter }),
      ]) {
        await errorWithTag('ConfigError', listing);
      }
      expect(requests()).toEqual([]);
    });

    test('limits that the server cannot take are a ConfigError, and nothing is sent', async () => {
      const { runs, requests } = open();
      for (const filter of [{ limit: 0 }, { limit: -1 }, { limit: 1.5 }, { limit: 2 ** 31 }, { offset: -1 }]) {
        await errorWithTag('ConfigError', runs.list(filter));
      }
      await errorWithTag('ConfigError', runs.listPages({ pageSize: 0 }));
      await errorWithTag('ConfigError', runs.listWithPagination({ pageSize: -5 }));
      expect(requests()).toEqual([]);
    });
  });

  describe('listPages, listWithPagination, listIds', () => {
    test('give every run of the window once, while runs arrive, and end by themselves', async () => {
      const session = open();
      const { runs, tag, startMany, start } = session;
      const ids = idsOf(await startMany(45, 'contract-quick'));
      await settled(session, 45);

      const seen: string[] = [];
      const indices: number[] = [];
      for await (const page of eachValue(runs.listPages({ additionalMetadata: tag, pageSize: 10 }))) {
        seen.push(...idsIn(page.rows));
        indices.push(page.index);
        expect(page.rows.length).toBeLessThanOrEqual(10);
        await start('contract-quick');
        // Readable before the next page is asked for: else nothing arrives during the sweep.
        await one((await start('contract-quick')).status());
      }
      expect(sorted(seen)).toEqual(ids);
      expect(indices).toEqual(indices.map((_, place) => place));
      await expect
        .poll(() => all(runs.listIds({ additionalMetadata: tag })), { timeout: 30_000 })
        .toHaveLength(45 + 2 * indices.length);
    });

    test('do not lose or repeat runs whose status changes on the way', async () => {
      const session = open();
      const { runs, tag, startMany } = session;
      const ids = idsOf(await startMany(24, 'contract-slow', () => ({ ms: 60_000 })));
      await expect
        .poll(() => all(runs.listIds({ additionalMetadata: tag, statuses: ['RUNNING'] })), { timeout: 30_000 })
        .toHaveLength(24);
      const seen: string[] = [];
      for await (const { rows } of eachValue(
        runs.listPages({ additionalMetadata: tag, statuses: ['RUNNING'], pageSize: 8 }),
      )) {
        seen.push(...idsIn(rows));
        // What was seen leaves the filter: by offsets, the next page would skip as many.
        if (rows.length > 0) await one(runs.bulkCancel({ ids: idsIn(rows) }));
      }
      expect(sorted(seen)).toEqual(ids);
    });

    test('runs of one creation time, across pages', async () => {
      const { runs, finish } = open();
      const { id } = await finish('contract-parent', { children: 30 });
      await expect.poll(() => all(runs.listIds({ parentTaskExternalId: id }))).toHaveLength(30);
      const rows = await all(runs.listWithPagination({ parentTaskExternalId: id, pageSize: 7 }));
      expect(rows).toHaveLength(30);
      expect(new Set(idsIn(rows)).size).toBe(30);
    });

    test('newest first', async () => {
      const session = open();
      const { runs, tag, startMany } = session;
      await startMany(12, 'contract-quick');
      await settled(session, 12);
      const times = (await all(runs.listWithPagination({ additionalMetadata: tag, pageSize: 5 }))).map(({ metadata }) =>
        metadata.createdAt.getTime(),
      );
      expect(times).toEqual(times.toSorted((a, b) => b - a));
    });

    test('the next page is asked for on demand', async () => {
      const session = open();
      const { runs, tag, startMany, requests } = session;
      await startMany(12, 'contract-quick');
      await settled(session, 12);
      const before = requests().length;
      for await (const run of eachValue(runs.listWithPagination({ additionalMetadata: tag, pageSize: 4 }))) {
        expect(run.metadata.id).toBeDefined();
        break;
      }
      expect(requests().length - before).toBeLessThanOrEqual(2);
    });

    test('nothing there: one empty page, no runs, no ids', async () => {
      const { runs, tag } = open();
      const pages = await all(runs.listPages({ additionalMetadata: tag }));
      expect(pages).toMatchObject([{ index: 0, rows: [], rejected: [] }]);
      expect(await all(runs.listWithPagination({ additionalMetadata: tag }))).toEqual([]);
      expect(await all(runs.listIds({ additionalMetadata: tag }))).toEqual([]);
    });

    test('listIds asks once where one metadata pair will do', async () => {
      const session = open();
      const { runs, tag, startMany, requests } = session;
      const ids = idsOf(await startMany(5, 'contract-quick'));
      await settled(session, 5);
      const before = requests().length;
      expect(sorted(await all(runs.listIds({ additionalMetadata: tag })))).toEqual(ids);
      expect(requests().length - before).toBe(1);
    });
  });
}
