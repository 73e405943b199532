import { EMPTY, NEVER, of, take, throwError, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { poll } from '../../src/operators/poll.ts';
import { inTurn, itInMarbles } from './support/marbles.ts';

describe('poll', () => {
  itInMarbles(
    'never: a look without an answer is waited for, and no second one begins',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const look = cold('-');
      expectObservable(poll(inTurn(look), () => 1)).toBe('-');
      expectSubscriptions(look.subscriptions).toBe('^');
    },
  );

  itInMarbles('empty: a look that says nothing ends the polling', ({ cold, expectObservable, expectSubscriptions }) => {
    const look = cold('--|');
    expectObservable(poll(inTurn(look), () => 1)).toBe('--|');
    expectSubscriptions(look.subscriptions).toBe('^-!');
  });

  itInMarbles('one: completes when there is no further pause', ({ cold, expectObservable }) => {
    expectObservable(poll(inTurn(cold('--(a|)')), () => undefined)).toBe('--(a|)');
  });

  itInMarbles(
    'many: each look begins one pause after the answer before it, and what was seen sets the pause',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const looks = [cold('--(a|)'), cold('--(b|)'), cold('-(c|)')] as const;
      const pauses: Record<string, number | undefined> = { a: 5, b: 3 };
      expectObservable(poll(inTurn(...looks), (seen) => pauses[seen])).toBe('--a------b---(c|)');
      expectSubscriptions(looks[0].subscriptions).toBe('^-!');
      expectSubscriptions(looks[1].subscriptions).toBe('-------^-!');
      expectSubscriptions(looks[2].subscriptions).toBe('------------^!');
    },
  );

  itInMarbles(
    'many: looks never overlap, however long one takes',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const looks = [cold('(a|)'), cold('---------(b|)')] as const;
      expectObservable(poll(inTurn(...looks), (seen) => (seen === 'a' ? 1 : undefined))).toBe('a---------(b|)');
      expectSubscriptions(looks[1].subscriptions).toBe('-^--------!');
    },
  );

  itInMarbles('error: of a look ends the polling', ({ cold, expectObservable }) => {
    expectObservable(poll(inTurn(cold('-(a|)'), cold('-#')), () => 2)).toBe('-a--#');
  });

  itInMarbles('error: what pauseAfter or look throws is an error of the stream', ({ expectObservable }) => {
    const fail = () => {
      throw 'error';
    };
    expectObservable(poll(() => of('a'), fail)).toBe('(a#)');
    expectObservable(poll(fail, () => 1)).toBe('#');
    const failSecond = inTurn(
      () => of('a'),
      () => fail(),
    );
    expectObservable(
      poll(
        () => failSecond()(),
        () => 1,
      ),
    ).toBe('a#');
  });

  itInMarbles('synchronous source: the pauses still count', ({ expectObservable }) => {
    let count = 0;
    expectObservable(
      poll(
        () => of(String((count += 1))),
        (seen) => (seen === '3' ? undefined : 2),
      ),
    ).toBe('1-2-(3|)');
  });

  itInMarbles('early unsubscribe: aborts the look under way', ({ cold, expectObservable, expectSubscriptions }) => {
    const looks = [cold('(a|)'), cold('-----(b|)')] as const;
    expectObservable(
      poll(inTurn(...looks), () => 2),
      '^---!',
    ).toBe('a----');
    expectSubscriptions(looks[1].subscriptions).toBe('--^-!');
  });

  itInMarbles(
    'early unsubscribe: in a pause, no further look begins',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const looks = [cold('(a|)'), cold('(b|)')] as const;
      expectObservable(
        poll(inTurn(...looks), () => 5),
        '^--!',
      ).toBe('a---');
      expectSubscriptions(looks[1].subscriptions).toBe([]);
    },
  );

  it('early unsubscribe: take(1) of a synchronous look asks for no pause', () => {
    const looked = vi.fn<() => void>();
    poll(
      () => {
        looked();
        return of('a');
      },
      () => 1,
    )
      .pipe(take(1))
      .subscribe();
    expect(looked).toHaveBeenCalledTimes(1);
  });

  itInMarbles(
    're-subscription: each subscription looks by itself and in its own rhythm',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const look = cold('-(a|)');
      const polling = poll(
        () => look,
        () => 3,
      );
      expectObservable(polling, '^-----!').toBe('-a---a-');
      expectObservable(polling, '--^-----!').toBe('---a---a-');
      expectSubscriptions(look.subscriptions).toBe(['^!', '--^!', '----^!', '------^!']);
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
      ['after the end', () => poll(inTurn(of(1), of(2)), (seen) => (seen === 1 ? 10 : undefined))],
      [
        'after an error',
        () =>
          poll(
            inTurn(
              of(1),
              throwError(() => 'error'),
            ),
            () => 10,
          ),
      ],
      ['after an empty look', () => poll(inTurn(of(1), EMPTY), () => 10)],
    ] as const)('%s', async ([, make]) => {
      make()
        .pipe(toArray())
        .subscribe({ error: () => undefined });
      expect(vi.getTimerCount()).toBe(1);
      await vi.advanceTimersByTimeAsync(10);
      expect(vi.getTimerCount()).toBe(0);
    });

    it('after unsubscribing in a pause', () => {
      const subscription = poll(inTurn(of(1), NEVER), () => 10).subscribe();
      expect(vi.getTimerCount()).toBe(1);
      subscription.unsubscribe();
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
