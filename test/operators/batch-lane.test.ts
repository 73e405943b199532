import { EMPTY, map, NEVER, Observable, of, timer } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createBatchLane } from '../../src/operators/batch-lane.ts';
import { itInMarbles, marbles } from './support/marbles.ts';

type Results = ReadonlyMap<string, string>;

/** Gives each item in capitals. */
const shouted = (items: readonly string[]): Results => new Map(items.map((item) => [item, item.toUpperCase()]));

/** A work that takes `frames`, and the batches that it was given. */
function recording(frames: number) {
  const batches: string[] = [];
  const work = (items: readonly string[]) => {
    batches.push(items.join(''));
    return timer(frames).pipe(map(() => shouted(items)));
  };
  return { batches, work };
}

const asText = map((results: Results) => [...results.values()].join(''));

describe('batchLane', () => {
  it('never: a batch without an end keeps later items waiting', () => {
    const batches: (readonly string[])[] = [];
    const lane = createBatchLane<string>((items) => {
      batches.push(items);
      return NEVER;
    }, 10);
    lane(['a']).subscribe();
    lane(['b']).subscribe();
    expect(batches).toEqual([['a']]);
  });

  it('empty: no items are done at once, without any work', () => {
    marbles(({ expectObservable }) => {
      const { batches, work } = recording(2);
      expectObservable(createBatchLane(work, 10)([]).pipe(asText)).toBe('(a|)', { a: '' });
      expect(batches).toEqual([]);
    });
  });

  itInMarbles('one: alone, the items are worked on at once', ({ expectObservable }) => {
    expectObservable(createBatchLane(recording(2).work, 10)(['a', 'b']).pipe(asText)).toBe('--(x|)', { x: 'AB' });
  });

  it('many: items handed in meanwhile go together into the next batch, whoever handed them in', () => {
    marbles(({ expectObservable, flush }) => {
      const { batches, work } = recording(3);
      const lane = createBatchLane(work, 10);
      expectObservable(lane(['a']).pipe(asText)).toBe('---(A|)');
      expectObservable(lane(['b']).pipe(asText), '-^').toBe('------(B|)');
      expectObservable(lane(['c', 'b']).pipe(asText), '--^').toBe('------(x|)', { x: 'BC' });
      flush();
      expect(batches).toEqual(['a', 'bc']);
    });
  });

  it('many: a long list is done in batches, in order', () => {
    marbles(({ expectObservable, flush }) => {
      const { batches, work } = recording(2);
      expectObservable(createBatchLane(work, 2)(['a', 'b', 'c', 'd', 'e']).pipe(asText)).toBe('------(x|)', {
        x: 'ABCDE',
      });
      flush();
      expect(batches).toEqual(['ab', 'cd', 'e']);
    });
  });

  it('many: an item given twice is worked on once', () => {
    marbles(({ expectObservable, flush }) => {
      const { batches, work } = recording(1);
      expectObservable(createBatchLane(work, 10)(['a', 'a']).pipe(asText)).toBe('-(A|)');
      flush();
      expect(batches).toEqual(['a']);
    });
  });

  itInMarbles(
    'error: of a batch is an error of those whose items were in it; the next batch runs',
    ({ cold, expectObservable }) => {
      const lane = createBatchLane<string>(
        (items) => (items.includes('a') ? cold('--#') : cold('-(r|)', { r: shouted(items) })),
        10,
      );
      expectObservable(lane(['a', 'z'])).toBe('--#');
      expectObservable(lane(['b']).pipe(asText)).toBe('---(B|)');
    },
  );

  it('error: takes the rest of a long list with it', () => {
    marbles(({ cold, expectObservable, flush }) => {
      const batches: string[] = [];
      const lane = createBatchLane<string>((items) => {
        batches.push(items.join(''));
        return cold('-#');
      }, 1);
      expectObservable(lane(['a', 'b'])).toBe('-#');
      flush();
      expect(batches).toEqual(['a']);
    });
  });

  it('synchronous source: many batches of one moment', () => {
    const seen: string[] = [];
    const lane = createBatchLane((items) => of(shouted(items)), 1);
    for (const item of ['a', 'b', 'c']) {
      lane([item])
        .pipe(asText)
        .subscribe((value) => seen.push(value));
    }
    expect(seen).toEqual(['A', 'B', 'C']);
  });

  it('early unsubscribe: takes waiting items out of the queue', () => {
    marbles(({ expectObservable, flush }) => {
      const { batches, work } = recording(3);
      const lane = createBatchLane(work, 10);
      expectObservable(lane(['a']).pipe(asText)).toBe('---(A|)');
      expectObservable(lane(['b', 'c']), '^-!').toBe('---');
      expectObservable(lane(['c']).pipe(asText)).toBe('------(C|)');
      flush();
      expect(batches).toEqual(['a', 'c']);
    });
  });

  itInMarbles(
    'early unsubscribe: ends the batch under way when nobody waits for it, and starts the next',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const endless = cold<Results>('-');
      const lane = createBatchLane((items) => (items.includes('a') ? endless : of(shouted(items))), 10);
      expectObservable(lane(['a']), '^--!').toBe('----');
      expectObservable(lane(['b']).pipe(asText)).toBe('---(B|)');
      expectSubscriptions(endless.subscriptions).toBe('^--!');
    },
  );

  it('early unsubscribe: a batch that somebody else waits for goes on', () => {
    marbles(({ expectObservable, flush }) => {
      const { batches, work } = recording(4);
      const lane = createBatchLane(work, 10);
      expectObservable(lane(['x']), '^-!').toBe('---');
      expectObservable(lane(['a']), '-^--!').toBe('-----');
      expectObservable(lane(['a', 'b']).pipe(asText), '-^').toBe('------(x|)', { x: 'AB' });
      flush();
      expect(batches).toEqual(['x', 'ab']);
    });
  });

  it('early unsubscribe: two batches are never alive together', () => {
    let alive = 0;
    let most = 0;
    const lane = createBatchLane<string>(
      () =>
        new Observable(() => {
          alive += 1;
          most = Math.max(most, alive);
          return () => {
            alive -= 1;
          };
        }),
      1,
    );
    const subscriptions = ['a', 'b', 'c'].map((item) => lane([item]).subscribe());
    for (const subscription of subscriptions) subscription.unsubscribe();
    expect({ alive, most }).toEqual({ alive: 0, most: 1 });
  });

  it('re-subscription: hands the items in anew', () => {
    marbles(({ expectObservable, flush }) => {
      const { batches, work } = recording(2);
      const queued = createBatchLane(work, 10)(['a']).pipe(asText);
      expectObservable(queued).toBe('--(A|)');
      expectObservable(queued, '---^').toBe('-----(A|)');
      flush();
      expect(batches).toEqual(['a', 'a']);
    });
  });

  it('re-subscription: two lanes know nothing of each other', () => {
    const seen: string[] = [];
    createBatchLane<string>(() => NEVER, 1)(['a']).subscribe();
    createBatchLane(
      (items) => of(shouted(items)),
      1,
    )(['a'])
      .pipe(asText)
      .subscribe((value) => seen.push(value));
    expect(seen).toEqual(['A']);
  });

  describe('no timer left', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it('after unsubscribing all', () => {
      const lane = createBatchLane(recording(1_000).work, 1);
      const subscriptions = ['a', 'b'].map((item) => lane([item]).subscribe());
      expect(vi.getTimerCount()).toBe(1);
      for (const subscription of subscriptions) subscription.unsubscribe();
      expect(vi.getTimerCount()).toBe(0);
    });
  });

  it('a work that ends without a result leaves the lane free', () => {
    const seen: string[] = [];
    const lane = createBatchLane((items) => (items.includes('a') ? EMPTY : of(shouted(items))), 1);
    lane(['a']).subscribe();
    lane(['b'])
      .pipe(asText)
      .subscribe((value) => seen.push(value));
    expect(seen).toEqual(['B']);
  });
});
