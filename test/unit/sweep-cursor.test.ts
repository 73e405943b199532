import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PageWindow } from '../../src/http/endpoints.ts';
import { readRunRows, type RunRows } from '../../src/model/page.ts';
import { advance, pageRequest, startOf, type SweepCursor } from '../../src/runs/sweep-cursor.ts';

/** A run as the model server has it: creation time in microseconds, an internal number, and whether a filter selects it. */
interface Row {
  readonly micros: number;
  readonly number: number;
  selected: boolean;
}

const BASE = '2026-11-23T20:26:';

/** As Hatchet writes times: to the microsecond, trailing zeros cut. */
const wireTime = (micros: number): string => {
  const fraction = String(micros % 1_000_000)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return `${BASE}${String(Math.floor(micros / 1_000_000)).padStart(2, '0')}${fraction === '' ? '' : `.${fraction}`}Z`;
};

const microsOf = (wire: string): number => {
  const [, seconds = '', fraction = ''] = /:(\d\d)(?:\.(\d+))?Z$/.exec(wire) ?? [];
  return Number(seconds) * 1_000_000 + Number(fraction.padEnd(6, '0'));
};

/** A server that lists as Hatchet does: newest first by creation time, then by internal number; `until` inclusive. */
function modelServer(initial: readonly Row[]) {
  const rows = [...initial];
  return {
    rows,
    list({ until, limit, offset }: PageWindow): RunRows {
      const found = rows
        .filter(({ micros, selected }) => selected && (until === undefined || micros <= microsOf(until)))
        .sort((a, b) => b.micros - a.micros || b.number - a.number)
        .slice(offset, offset + limit)
        .map(({ micros, number }) => ({
          metadata: { id: String(number), createdAt: wireTime(micros) },
          status: 'RUNNING',
        }));
      return readRunRows({ rows: found, pagination: { current_page: 1, next_page: 2 } });
    },
  };
}

/** What happens on the server between two requests. */
type Happening =
  | { readonly type: 'arrive'; readonly micros: number; readonly count: number }
  /** Rows leave the filter: every n-th of those there. */
  | { readonly type: 'leave'; readonly every: number; readonly from: number };

/** Sweeps a window; between two requests, the next happening takes place. */
function sweep(server: ReturnType<typeof modelServer>, pageSize: number, happenings: readonly Happening[]) {
  const given: string[] = [];
  const left = new Set<string>();
  let requests = 0;
  let nextNumber = 1_000_000;
  let cursor: SweepCursor | undefined = startOf(undefined);
  while (cursor !== undefined) {
    const { taken, next }: ReturnType<typeof advance> = advance(cursor, server.list(pageRequest(cursor, pageSize)));
    given.push(...taken.map(({ metadata }) => metadata.id));
    cursor = next;
    const happening = happenings[requests];
    requests += 1;
    if (requests > 10_000) throw new Error('the sweep does not end');
    if (happening?.type === 'arrive') {
      for (let index = 0; index < happening.count; index += 1) {
        server.rows.push({ micros: happening.micros, number: (nextNumber += 1), selected: true });
      }
    } else if (happening?.type === 'leave') {
      for (const [index, row] of server.rows.entries()) {
        if (index % happening.every !== happening.from % happening.every) continue;
        row.selected = false;
        left.add(String(row.number));
      }
    }
  }
  return { given, left, requests };
}

// Few different times: ties are the rule, and pages end inside of them.
const micros = fc.integer({ min: 0, max: 12 }).map((n) => n * 499_500 + (n % 3));
const initial = fc
  .array(micros, { maxLength: 60 })
  .map((times) => times.map((time, index): Row => ({ micros: time, number: index + 1, selected: true })));
const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({
    type: fc.constant('arrive' as const),
    micros: fc.oneof(micros, fc.constant(9_000_000)),
    count: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({ type: fc.constant('leave' as const), every: fc.integer({ min: 1, max: 6 }), from: fc.nat({ max: 5 }) }),
);

describe('a sweep', () => {
  it('gives every row that was there and stayed exactly once, and ends, whatever arrives and leaves', () => {
    fc.assert(
      fc.property(
        initial,
        fc.integer({ min: 1, max: 20 }),
        fc.array(happening, { maxLength: 40 }),
        (rows, pageSize, happenings) => {
          const { given, left } = sweep(modelServer(rows), pageSize, happenings);
          expect(new Set(given).size).toBe(given.length);
          const stayed = rows.map(({ number }) => String(number)).filter((id) => !left.has(id));
          expect(stayed.filter((id) => !given.includes(id))).toEqual([]);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('newest first, in the order of the server, when nothing happens', () => {
    fc.assert(
      fc.property(initial, fc.integer({ min: 1, max: 20 }), (rows, pageSize) => {
        const server = modelServer(rows);
        const all = server.list({ until: undefined, limit: 1_000, offset: 0 }).keys.map(({ id }) => id);
        expect(sweep(server, pageSize, []).given).toEqual(all);
      }),
    );
  });

  it('asks not much more often than there are pages', () => {
    fc.assert(
      fc.property(initial, fc.integer({ min: 1, max: 20 }), (rows, pageSize) => {
        const { requests } = sweep(modelServer(rows), pageSize, []);
        expect(requests).toBeLessThanOrEqual(Math.ceil(rows.length / pageSize) + 1);
      }),
    );
  });

  it('rows of one microsecond, many more than a page', () => {
    const rows = Array.from({ length: 500 }, (_, index): Row => ({ micros: 7, number: index + 1, selected: true }));
    expect(sweep(modelServer(rows), 50, []).given).toHaveLength(500);
  });

  it('rows that differ by a microsecond only are not taken for ties', () => {
    const rows = Array.from({ length: 30 }, (_, index): Row => ({
      micros: 1_000 + index,
      number: index + 1,
      selected: true,
    }));
    expect(sweep(modelServer(rows), 4, []).given).toEqual(rows.map(({ number }) => String(number)).toReversed());
  });

  it('what arrives after the first page is not in the window', () => {
    const rows = Array.from({ length: 10 }, (_, index): Row => ({ micros: index, number: index + 1, selected: true }));
    const { given } = sweep(modelServer(rows), 3, [{ type: 'arrive', micros: 50_000_000, count: 5 }]);
    expect(given.every((id) => Number(id) < 1_000)).toBe(true);
    expect(given).toHaveLength(10);
  });

  it('an empty window is one request', () => {
    expect(sweep(modelServer([]), 10, [])).toMatchObject({ given: [], requests: 1 });
  });

  it('a window with an end begins there', () => {
    const until = new Date('2026-11-23T20:26:05.120Z');
    expect(pageRequest(startOf(until), 50)).toEqual({ until: '2026-11-23T20:26:05.120Z', limit: 50, offset: 0 });
  });

  it('a row that cannot be read is passed by, and those behind it are given', () => {
    const rows = Array.from({ length: 9 }, (_, index): Row => ({
      micros: index < 5 ? 3 : index,
      number: index + 1,
      selected: true,
    }));
    const server = modelServer(rows);
    const spoiled = {
      ...server,
      list: (window: PageWindow): RunRows => {
        const answer = server.list(window);
        return { ...answer, rows: answer.rows.filter(({ metadata }) => metadata.id !== '4') };
      },
    };
    expect(sweep(spoiled, 2, []).given.sort()).toEqual(['1', '2', '3', '5', '6', '7', '8', '9']);
  });
});
