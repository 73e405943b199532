import { EMPTY, NEVER, type Observable, of, throwError, timer } from 'rxjs';
import type { RunHelpers } from 'rxjs/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { attempts, type AttemptsConfig } from '../../src/operators/attempts.ts';
import { inTurn, itInMarbles, marbles } from './support/marbles.ts';

const shout = (answer: string) => answer.toUpperCase();
const giveUp = (error: unknown): never => {
  throw error;
};

/** Attempts with the given parts; without them: capital letters, no second attempt, a deadline of 100. */
function attempting(config: Partial<AttemptsConfig<string, string>> & Pick<AttemptsConfig<string, string>, 'attempt'>) {
  return attempts({ read: shout, pauseBefore: giveUp, deadlineMs: 100, makeDeadlineError: () => 'late', ...config });
}

describe('attempts', () => {
  itInMarbles(
    'never: ends at the deadline, and the attempt with it',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const work = cold('-');
      expectObservable(attempting({ attempt: () => work, deadlineMs: 3 })).toBe('---#', undefined, 'late');
      expectSubscriptions(work.subscriptions).toBe('^--!');
    },
  );

  itInMarbles('empty: an attempt without an answer is the end', ({ cold, expectObservable }) => {
    expectObservable(attempting({ attempt: () => cold('--|') })).toBe('--|');
  });

  itInMarbles('one: the answer, read, and at once the end', ({ cold, expectObservable, expectSubscriptions }) => {
    const work = cold('--a---|');
    expectObservable(attempting({ attempt: () => work })).toBe('--(A|)');
    expectSubscriptions(work.subscriptions).toBe('^-!');
  });

  itInMarbles('many: only the first answer counts', ({ cold, expectObservable }) => {
    expectObservable(attempting({ attempt: () => cold('-(abc|)') })).toBe('-(A|)');
  });

  itInMarbles('many: a failed attempt is followed by a pause and the next', (helpers) => {
    const { cold, expectObservable, expectSubscriptions } = helpers;
    const works = [cold('-#'), cold('--#'), cold('-a')] as const;
    const attempt = inTurn<Observable<string>>(...works);
    const source = attempting({ attempt, pauseBefore: () => timer(3) });
    expectObservable(source).toBe('----------(A|)');
    expectSubscriptions(works[0].subscriptions).toBe('^!');
    expectSubscriptions(works[1].subscriptions).toBe('----^-!');
    expectSubscriptions(works[2].subscriptions).toBe('---------^!');
  });

  itInMarbles('many: a pause may end without a value', ({ cold, expectObservable }) => {
    const attempt = inTurn<Observable<string>>(cold('#'), cold('-a'));
    expectObservable(attempting({ attempt, pauseBefore: () => cold('--|') })).toBe('---(A|)');
  });

  itInMarbles('many: a pause is over with its first value', ({ cold, expectObservable, expectSubscriptions }) => {
    const pause = cold('-x-y-z');
    const attempt = inTurn<Observable<string>>(cold('#'), cold('-a'));
    expectObservable(attempting({ attempt, pauseBefore: () => pause })).toBe('--(A|)');
    expectSubscriptions(pause.subscriptions).toBe('^!');
  });

  itInMarbles('error: what pauseBefore throws, or the pause itself', ({ cold, expectObservable }) => {
    expectObservable(attempting({ attempt: () => cold('-#') })).toBe('-#');
    const pauseBefore = () => cold('--#', undefined, 'of the pause');
    expectObservable(attempting({ attempt: () => cold('-#'), pauseBefore })).toBe('---#', undefined, 'of the pause');
  });

  itInMarbles('error: an answer that cannot be read is a failed attempt', ({ cold, expectObservable }) => {
    const attempt = inTurn<Observable<string>>(cold('-a'), cold('-b'));
    const read = (answer: string) => (answer === 'a' ? giveUp('unreadable') : answer);
    expectObservable(attempting({ attempt, read, pauseBefore: () => timer(2) })).toBe('----(b|)');
  });

  itInMarbles('error: what attempt throws is an error of the stream', ({ expectObservable }) => {
    expectObservable(attempting({ attempt: () => giveUp('error') })).toBe('#');
  });

  it('error: pauseBefore is told the failure of each attempt', () => {
    const told = vi.fn<(error: unknown) => void>();
    const attempt = inTurn(
      throwError(() => 'first'),
      throwError(() => 'second'),
      of('a'),
    );
    const pauseBefore = (error: unknown) => {
      told(error);
      return EMPTY;
    };
    attempting({ attempt, pauseBefore }).subscribe();
    expect(told.mock.calls).toEqual([['first'], ['second']]);
  });

  itInMarbles('synchronous source: failures and answers of one moment', ({ expectObservable }) => {
    const attempt = inTurn<Observable<string>>(
      throwError(() => 'x'),
      of('a'),
    );
    expectObservable(attempting({ attempt, pauseBefore: () => of(0) })).toBe('(A|)');
  });

  itInMarbles('synchronous source: an answer that cannot be read, and its end, are one failed attempt', (helpers) => {
    const attempt = inTurn<Observable<string>>(of('a', 'c'), of('b'));
    const read = (answer: string) => (answer === 'b' ? answer : giveUp('unreadable'));
    helpers.expectObservable(attempting({ attempt, read, pauseBefore: () => timer(2) })).toBe('--(b|)');
  });

  describe('the deadline', () => {
    itInMarbles('is of all attempts and pauses together', ({ cold, expectObservable }) => {
      const attempt = inTurn<Observable<string>>(cold('-#'), cold('-#'), cold('-#'));
      expectObservable(attempting({ attempt, pauseBefore: () => timer(2), deadlineMs: 8 })).toBe(
        '--------#',
        undefined,
        'late',
      );
    });

    itInMarbles('ends a pause', ({ cold, expectObservable, expectSubscriptions }) => {
      const pause = cold('-');
      const source = attempting({ attempt: () => cold('-#'), pauseBefore: () => pause, deadlineMs: 4 });
      expectObservable(source).toBe('----#', undefined, 'late');
      expectSubscriptions(pause.subscriptions).toBe('-^--!');
    });
  });

  itInMarbles('early unsubscribe: ends the attempt under way', ({ cold, expectObservable, expectSubscriptions }) => {
    const work = cold('----a');
    expectObservable(attempting({ attempt: () => work }), '^-!').toBe('---');
    expectSubscriptions(work.subscriptions).toBe('^-!');
  });

  itInMarbles('early unsubscribe: ends the pause, and no further attempt begins', (helpers: RunHelpers) => {
    const { cold, expectObservable, expectSubscriptions } = helpers;
    const [work, pause] = [cold('-#'), cold('----x')];
    expectObservable(attempting({ attempt: () => work, pauseBefore: () => pause }), '^--!').toBe('----');
    expectSubscriptions(work.subscriptions).toBe('^!');
    expectSubscriptions(pause.subscriptions).toBe('-^-!');
  });

  it('re-subscription: each subscription makes attempts of its own', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const work = cold('-a');
      const begun = vi.fn<() => void>();
      const source = attempting({
        attempt: () => {
          begun();
          return work;
        },
      });
      expectObservable(source).toBe('-(A|)');
      expectObservable(source, '--^').toBe('---(A|)');
      expectSubscriptions(work.subscriptions).toBe(['^!', '--^!']);
      flush();
      expect(begun).toHaveBeenCalledTimes(2);
    });
  });

  describe('no timer left', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    const ends: readonly (readonly [string, Observable<string>])[] = [
      ['an answer', of('a')],
      ['an error', throwError(() => 'error')],
      ['an end without an answer', EMPTY],
    ];

    it.for(ends)('after %s', ([, work]) => {
      attempting({ attempt: () => work }).subscribe({ error: () => undefined });
      expect(vi.getTimerCount()).toBe(0);
    });

    it('after unsubscribing in an attempt, or in a pause', () => {
      const inAttempt = attempting({ attempt: () => NEVER }).subscribe();
      const inPause = attempting({ attempt: () => throwError(() => 'x'), pauseBefore: () => timer(5) }).subscribe();
      expect(vi.getTimerCount()).toBe(3);
      inAttempt.unsubscribe();
      inPause.unsubscribe();
      expect(vi.getTimerCount()).toBe(0);
    });

    it('after the deadline', async () => {
      attempting({ attempt: () => NEVER, deadlineMs: 5 }).subscribe({ error: () => undefined });
      await vi.advanceTimersByTimeAsync(5);
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
