import { TestScheduler, type RunHelpers } from 'rxjs/testing';
import { expect, it } from 'vitest';

/** Runs a marble test in virtual time. */
export function marbles(test: (helpers: RunHelpers) => void): void {
  new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(test);
}

/** A test in virtual time. */
export function itInMarbles(title: string, test: (helpers: RunHelpers) => void): void {
  // oxlint-disable-next-line vitest/valid-title -- a name that the caller gives
  it(title, () => {
    const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
    scheduler.run(test);
  });
}

/** A function that gives the arguments one after the other, and fails when asked for more. */
export function inTurn<A>(...values: readonly A[]): () => A {
  let index = 0;
  return () => {
    const value = values[index];
    index += 1;
    if (index > values.length) throw new Error(`asked for ${index} values, there are ${values.length}`);
    return value as A;
  };
}
