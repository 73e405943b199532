import { EMPTY, NEVER, type Observable, of, throwError } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deadline } from '../../src/operators/deadline.ts';
import { itInMarbles, marbles } from './support/marbles.ts';

const late = () => 'late';

describe('deadline', () => {
  itInMarbles(
    'never: errors when the time is up, and unsubscribes the source',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-');
      expectObservable(source.pipe(deadline(3, late))).toBe('---#', undefined, 'late');
      expectSubscriptions(source.subscriptions).toBe('^--!');
    },
  );

  itInMarbles('empty: completes with the source', ({ cold, expectObservable }) => {
    expectObservable(cold('--|').pipe(deadline(3, late))).toBe('--|');
  });

  itInMarbles('one: passes on', ({ cold, expectObservable }) => {
    expectObservable(cold('-(a|)').pipe(deadline(3, late))).toBe('-(a|)');
  });

  itInMarbles(
    'many: values do not extend the deadline; it is of the whole',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a-b-c-d|');
      expectObservable(source.pipe(deadline(6, late))).toBe('-a-b-c#', undefined, 'late');
      expectSubscriptions(source.subscriptions).toBe('^-----!');
    },
  );

  it('many: without a time, the source as it is', () => {
    marbles(({ cold, expectObservable }) => {
      const source = cold('-a-b-c-d|');
      expect(deadline(undefined, late)(source)).toBe(source);
      expectObservable(source.pipe(deadline(undefined, late))).toBe('-a-b-c-d|');
    });
  });

  itInMarbles("error: the source's own error wins before the deadline", ({ cold, expectObservable }) => {
    expectObservable(cold('-a#').pipe(deadline(5, late))).toBe('-a#');
  });

  itInMarbles('error: is made when the time is up, not before', ({ cold, expectObservable, flush }) => {
    const seen: string[] = [];
    const source = cold('-a--b---|');
    const makeError = () => seen.join('');
    const watched = source.pipe(deadline(6, makeError));
    source.subscribe((value) => seen.push(value));
    expectObservable(watched).toBe('-a--b-#', undefined, 'ab');
    flush();
  });

  it('synchronous source: completes before the deadline, which is not even made', () => {
    const makeError = vi.fn<() => unknown>();
    const seen: unknown[] = [];
    of(1, 2)
      .pipe(deadline(1, makeError))
      .subscribe({ next: (value) => seen.push(value), complete: () => seen.push('end') });
    expect(seen).toEqual([1, 2, 'end']);
    expect(makeError).not.toHaveBeenCalled();
  });

  itInMarbles(
    'early unsubscribe: unsubscribes the source and tells nothing',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a---b|');
      expectObservable(source.pipe(deadline(4, late)), '^--!').toBe('-a--');
      expectSubscriptions(source.subscriptions).toBe('^--!');
    },
  );

  itInMarbles(
    're-subscription: each subscription has a deadline of its own',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a---b|');
      const limited = source.pipe(deadline(4, late));
      expectObservable(limited).toBe('-a--#', undefined, 'late');
      expectObservable(limited, '--^').toBe('---a--#', undefined, 'late');
      expectSubscriptions(source.subscriptions).toBe(['^---!', '--^---!']);
    },
  );

  describe('no timer left', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it.for([
      ['the end', EMPTY],
      ['an error', throwError(() => 'error')],
      ['a value and the end', of(1)],
    ] as readonly (readonly [string, Observable<unknown>])[])('after %s', ([, source]) => {
      source.pipe(deadline(10, late)).subscribe({ error: () => undefined });
      expect(vi.getTimerCount()).toBe(0);
    });

    it('after unsubscribing', () => {
      const subscription = NEVER.pipe(deadline(10, late)).subscribe();
      expect(vi.getTimerCount()).toBe(1);
      subscription.unsubscribe();
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
