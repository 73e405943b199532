/* oxlint-disable vitest/expect-expect -- what does not compile asserts by @ts-expect-error */
import type { Either } from 'fp-ts/lib/Either.js';
import { type Observable, of } from 'rxjs';
import { describe, expectTypeOf, it } from 'vitest';
import {
  asEither,
  eachValue,
  type ErrorHandlers,
  type HatchetError,
  isHatchetError,
  matchError,
  type RunFailedError,
  type TaskError,
  type TimeoutError,
  type V1TaskSummary,
} from 'hatchet-rx';

declare const error: HatchetError;

const all = {
  ConfigError: () => 1,
  ConnectionError: () => 2,
  TimeoutError: () => 3,
  HttpStatusError: () => 4,
  AuthenticationError: () => 5,
  RunNotFoundError: () => 6,
  WorkflowNotFoundError: () => 7,
  RateLimitedError: () => 8,
  DecodeError: () => 9,
  AmbiguousTriggerError: () => 10,
  StreamInterruptedError: () => 11,
  RunNotFinishedError: () => 12,
  RunFailedError: () => 13,
  RunCancelledError: () => 14,
};

describe('matchError', () => {
  it('gives what the handlers give', () => {
    expectTypeOf(matchError(error, all)).toEqualTypeOf<number>();
  });

  it('needs every kind, and knows no other', () => {
    expectTypeOf<keyof typeof all>().toEqualTypeOf<HatchetError['_tag']>();
    const { ConfigError: _, ...rest } = all;
    // @ts-expect-error -- one is missing
    matchError(error, rest);
    // @ts-expect-error -- one too many
    matchError(error, { ...all, ConfigError: () => 1, SomeError: () => 15 } satisfies ErrorHandlers<number>);
  });

  it('gives each handler its own kind', () => {
    matchError(error, {
      ...all,
      TimeoutError: (timeout) => {
        expectTypeOf(timeout).toEqualTypeOf<TimeoutError>();
        return timeout.waitedMs;
      },
      RunFailedError: (failed) => {
        expectTypeOf(failed).toEqualTypeOf<RunFailedError>();
        expectTypeOf(failed.taskErrors).toEqualTypeOf<readonly TaskError[]>();
        return failed.taskErrors.length;
      },
    });
  });
});

describe('an error', () => {
  it('is told by its tag, or by its guard', () => {
    const unknown: unknown = error;
    if (isHatchetError(unknown)) expectTypeOf(unknown).toEqualTypeOf<HatchetError>();
    if (error._tag === 'HttpStatusError') expectTypeOf(error.status).toEqualTypeOf<number>();
    if (error._tag === 'ConfigError') expectTypeOf(error.status).toEqualTypeOf<number | undefined>();
  });
});

describe('operators', () => {
  it('asEither keeps the value, and its left is the closed union', () => {
    expectTypeOf(of('a').pipe(asEither())).toEqualTypeOf<Observable<Either<HatchetError, string>>>();
  });

  it('eachValue keeps the value', () => {
    expectTypeOf(eachValue(of('a'))).toEqualTypeOf<AsyncIterable<string>>();
    expectTypeOf(eachValue({} as Observable<V1TaskSummary>)).toEqualTypeOf<AsyncIterable<V1TaskSummary>>();
  });
});
