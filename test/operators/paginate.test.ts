import { delay, EMPTY, type Observable, of, take } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Page, paginate } from '../../src/operators/paginate.ts';
import { itInMarbles } from './support/marbles.ts';

const page = (name: string, next?: string): Page<string, string> => ({ page: name, next });

/** Pages as letters: `a` leads to `b`, `b` to `c`, and `c` is the last. */
const values = { a: page('a', 'b'), b: page('b', 'c'), c: page('c') };

describe('paginate', () => {
  itInMarbles('never: waits for its page', ({ cold, expectObservable, expectSubscriptions }) => {
    const fetched = cold<Page<string, string>>('-');
    expectObservable(paginate(() => fetched, 'a')).toBe('-');
    expectSubscriptions(fetched.subscriptions).toBe('^');
  });

  itInMarbles('empty: a fetch without a page is the end', ({ cold, expectObservable }) => {
    expectObservable(paginate(() => cold<Page<string, string>>('--|'), 'a')).toBe('--|');
  });

  itInMarbles('one: a page without a next is the last', ({ cold, expectObservable }) => {
    expectObservable(paginate(() => cold('-(c|)', values), 'c')).toBe('-(c|)');
  });

  itInMarbles(
    'many: pages in order, one fetch at a time, each with the cursor of the page before',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const first = cold('--(a|)', values);
      const second = cold('---(b|)', values);
      const third = cold('-(c|)', values);
      const fetches = new Map([
        ['a', first],
        ['b', second],
        ['c', third],
      ]);
      expectObservable(paginate((cursor: string) => fetches.get(cursor) ?? EMPTY, 'a')).toBe('--a--b(c|)');
      expectSubscriptions(first.subscriptions).toBe('^-!');
      expectSubscriptions(second.subscriptions).toBe('--^--!');
      expectSubscriptions(third.subscriptions).toBe('-----^!');
    },
  );

  itInMarbles('error: of a later fetch comes after the pages before it', ({ cold, expectObservable }) => {
    const fetch = (cursor: string) => (cursor === 'a' ? cold('-(a|)', values) : cold('--#', values));
    expectObservable(paginate(fetch, 'a')).toBe('-a-#');
  });

  itInMarbles('error: what fetch throws is an error of the stream', ({ cold, expectObservable }) => {
    const fetch = (cursor: string) => {
      if (cursor === 'b') throw 'error';
      return cold('-(a|)', values);
    };
    expectObservable(paginate(fetch, 'a')).toBe('-(a#)');
  });

  it('synchronous source: a hundred pages of one moment, in order', () => {
    const last = 100;
    const fetch = (n: number): Observable<Page<number, number>> => of({ page: n, next: n < last ? n + 1 : undefined });
    const seen: number[] = [];
    paginate(fetch, 1).subscribe((n) => seen.push(n));
    expect(seen).toEqual(Array.from({ length: last }, (_, index) => index + 1));
  });

  itInMarbles('early unsubscribe: aborts the fetch under way', ({ cold, expectObservable, expectSubscriptions }) => {
    const second = cold('-----(b|)', values);
    const fetch = (cursor: string) => (cursor === 'a' ? cold('-(a|)', values) : second);
    expectObservable(paginate(fetch, 'a'), '^--!').toBe('-a--');
    expectSubscriptions(second.subscriptions).toBe('-^-!');
  });

  it('early unsubscribe: take(n) fetches no page beyond', () => {
    const fetch = vi.fn<(n: number) => Observable<Page<number, number>>>((n) => of({ page: n, next: n + 1 }));
    paginate(fetch, 1).pipe(take(3)).subscribe();
    expect(fetch.mock.calls).toEqual([[1], [2], [3]]);
  });

  itInMarbles('re-subscription: begins again at the first page', ({ cold, expectObservable, expectSubscriptions }) => {
    const [first, second] = [cold('-(a|)', values), cold('-(c|)', values)];
    const pages = paginate((cursor: string) => (cursor === 'a' ? first : second), 'a');
    expectObservable(pages).toBe('-a(c|)');
    expectObservable(pages, '----^').toBe('-----a(c|)');
    expectSubscriptions(first.subscriptions).toBe(['^!', '----^!']);
    expectSubscriptions(second.subscriptions).toBe(['-^!', '-----^!']);
  });

  describe('no timer left', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it('after unsubscribing while a page is on its way', async () => {
      const fetch = (n: number): Observable<Page<number, number>> => of({ page: n, next: n + 1 }).pipe(delay(5));
      const subscription = paginate(fetch, 1).subscribe();
      await vi.advanceTimersByTimeAsync(12);
      expect(vi.getTimerCount()).toBe(1);
      subscription.unsubscribe();
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
