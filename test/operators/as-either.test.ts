import * as E from 'fp-ts/lib/Either.js';
import { map, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { ConfigError, RunNotFoundError } from '../../src/error/errors.ts';
import { asEither } from '../../src/operators/as-either.ts';
import { itInMarbles } from './support/marbles.ts';

const error = new RunNotFoundError('no such run');
const values = { a: E.right('a'), b: E.right('b'), x: E.left(error) };

describe('asEither', () => {
  itInMarbles('never: stays silent', ({ cold, expectObservable }) => {
    expectObservable(cold('-').pipe(asEither())).toBe('-');
  });

  itInMarbles('empty: completes', ({ cold, expectObservable }) => {
    expectObservable(cold('--|').pipe(asEither())).toBe('--|');
  });

  itInMarbles('one: is a Right', ({ cold, expectObservable }) => {
    expectObservable(cold('-(a|)').pipe(asEither())).toBe('-(a|)', values);
  });

  itInMarbles('many: are Rights, at their times', ({ cold, expectObservable }) => {
    expectObservable(cold('-a-b|').pipe(asEither())).toBe('-a-b|', values);
  });

  itInMarbles('error: of the library is a last Left, and then the end', ({ cold, expectObservable }) => {
    expectObservable(cold('-a-#', undefined, error).pipe(asEither())).toBe('-a-(x|)', values);
  });

  itInMarbles('error: of the program stays an error', ({ cold, expectObservable }) => {
    const bug = new TypeError('a bug');
    expectObservable(cold('-a-#', undefined, bug).pipe(asEither())).toBe('-a-#', values, bug);
  });

  itInMarbles('error: of a later operator is not caught', ({ cold, expectObservable }) => {
    const later = new ConfigError('later');
    const failing = cold('-a|').pipe(
      asEither(),
      map(() => {
        throw later;
      }),
    );
    expectObservable(failing).toBe('-#', undefined, later);
  });

  it('synchronous source: in order', () => {
    const seen: unknown[] = [];
    of('a', 'b')
      .pipe(asEither())
      .subscribe((value) => seen.push(value));
    expect(seen).toEqual([values.a, values.b]);
  });

  itInMarbles('early unsubscribe: unsubscribes the source', ({ cold, expectObservable, expectSubscriptions }) => {
    const source = cold('-a-b|');
    expectObservable(source.pipe(asEither()), '^-!').toBe('-a-', values);
    expectSubscriptions(source.subscriptions).toBe('^-!');
  });

  itInMarbles(
    're-subscription: after a Left, the next subscription begins anew',
    ({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a#', undefined, error);
      const either = source.pipe(asEither());
      expectObservable(either).toBe('-a(x|)', values);
      expectObservable(either, '---^').toBe('----a(x|)', values);
      expectSubscriptions(source.subscriptions).toBe(['^-!', '---^-!']);
    },
  );
});
