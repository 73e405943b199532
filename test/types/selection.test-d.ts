/* oxlint-disable vitest/expect-expect -- what does not compile asserts by @ts-expect-error */
import { describe, it } from 'vitest';
import type { RunFilter, RunsClient } from 'hatchet-rx';

declare const runs: RunsClient;
declare const filters: RunFilter;

describe('a bulk selection', () => {
  it('is ids or filters', () => {
    runs.bulkCancel({ ids: ['x'] });
    runs.bulkCancel({ filters });
    runs.bulkReplay({ ids: ['x'] });
    runs.bulkReplay({ filters });
  });

  it('is never nothing', () => {
    // @ts-expect-error -- no selection
    runs.bulkCancel();
    // @ts-expect-error -- an empty one
    runs.bulkCancel({});
    // @ts-expect-error -- no selection
    runs.bulkReplay();
    // @ts-expect-error -- an empty one
    runs.bulkReplay({});
  });

  it('is never both', () => {
    // @ts-expect-error -- ids and filters
    runs.bulkCancel({ ids: ['x'], filters });
    // @ts-expect-error -- ids and filters
    runs.bulkReplay({ ids: ['x'], filters });
  });

  it('has no other fields', () => {
    // @ts-expect-error -- a bare filter is no selection
    runs.bulkCancel({ statuses: ['RUNNING'] });
    // @ts-expect-error -- a bare list is no selection
    runs.bulkCancel(['x']);
  });
});

describe('filters', () => {
  it('name statuses, in capitals', () => {
    runs.list({ statuses: ['FAILED', 'CANCELLED'] });
    // @ts-expect-error -- lower case
    runs.list({ statuses: ['failed'] });
    // @ts-expect-error -- joined by a comma
    runs.list({ statuses: ['FAILED,CANCELLED'] });
    // @ts-expect-error -- not a list
    runs.list({ statuses: 'FAILED' });
  });

  it('know their fields and types', () => {
    // @ts-expect-error -- misspelled
    runs.list({ status: ['FAILED'] });
    // @ts-expect-error -- a text is no Date
    runs.list({ since: '2026-11-23' });
    // @ts-expect-error -- filters compare text
    runs.list({ additionalMetadata: { n: 5 } });
    // @ts-expect-error -- lists of pages have no limit
    runs.listPages({ limit: 5 });
    // @ts-expect-error -- a page has no page size
    runs.list({ pageSize: 5 });
    // @ts-expect-error -- a bulk stream acts on runs, not on tasks
    runs.bulkCancelByFiltersWithPagination({ onlyTasks: true });
  });
});
