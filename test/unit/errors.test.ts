import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  AmbiguousTriggerError,
  AuthenticationError,
  ConfigError,
  ConnectionError,
  DecodeError,
  type ErrorHandlers,
  type HatchetError,
  HttpStatusError,
  isHatchetError,
  matchError,
  RateLimitedError,
  RunCancelledError,
  RunFailedError,
  RunNotFinishedError,
  RunNotFoundError,
  StreamInterruptedError,
  TimeoutError,
  WorkflowNotFoundError,
} from 'hatchet-rx';

const context = {
  operation: 'runs.get',
  method: 'GET',
  path: '/api/v1/stable/workflow-runs/x',
  attempts: 2,
  runId: 'x',
  snippet: 'said',
  cause: new Error('underneath'),
};

/** One of each kind, and whether trying again may help. */
const kinds: readonly (readonly [HatchetError, boolean, Readonly<Record<string, unknown>>])[] = [
  [new ConfigError('m', context), false, {}],
  [new ConnectionError('m', context), true, {}],
  [
    new TimeoutError('m', { waitedMs: 7, lastStatus: 'RUNNING' }, context),
    true,
    { waitedMs: 7, lastStatus: 'RUNNING' },
  ],
  [
    new HttpStatusError('m', { status: 500, retryable: true, retryAfterMs: 3 }, context),
    true,
    { status: 500, retryAfterMs: 3 },
  ],
  [new HttpStatusError('m', { status: 400, retryable: false }, context), false, { status: 400 }],
  [new AuthenticationError('m', context), false, {}],
  [new RunNotFoundError('m', context), false, {}],
  [new WorkflowNotFoundError('m', { workflowName: 'w' }, context), false, { workflowName: 'w' }],
  [new RateLimitedError('m', { retryAfterMs: 5 }, context), true, { retryAfterMs: 5 }],
  [
    new DecodeError('m', { path: 'run.id', expected: 'a string', got: '1' }, context),
    false,
    { path: 'run.id', expected: 'a string', got: '1', requestPath: context.path },
  ],
  [new AmbiguousTriggerError('m', { tag: { k: 'v' } }, context), false, { tag: { k: 'v' } }],
  [new StreamInterruptedError('m', { lastEventId: '9', seen: 4 }, context), true, { lastEventId: '9', seen: 4 }],
  [new RunNotFinishedError('m', { runStatus: 'RUNNING' }, context), true, { runStatus: 'RUNNING' }],
  [new RunFailedError('m', { taskErrors: [] }, context), false, { taskErrors: [] }],
  [new RunCancelledError('m', context), false, {}],
];

const names = kinds.map(([error]) => error._tag);
const saysItsName = Object.fromEntries(
  names.map((tag) => [tag, (error: HatchetError) => `${tag}: ${error.message}`]),
) as ErrorHandlers<string>;

afterEach(() => {
  vi.resetModules();
});

describe('every kind of error', () => {
  it.for(kinds.map((kind) => [kind[0]._tag, kind] as const))(
    '%s carries what is known',
    ([tag, [error, retryable, own]]) => {
      expect(error).toBeInstanceOf(Error);
      expect(error).toMatchObject({ ...context, ...own, name: tag, _tag: tag, message: 'm', retryable });
      expect(error.cause).toBe(context.cause);
      expect(String(error)).toBe(`${tag}: m`);
      expect(error.stack).toContain('errors.test.ts');
    },
  );

  it.for(kinds.map(([error]) => [error._tag, error] as const))(
    '%s is recognised, and finds its handler',
    ([tag, error]) => {
      expect(isHatchetError(error)).toBe(true);
      expect(matchError(error, saysItsName)).toBe(`${tag}: m`);
    },
  );

  it('without a cause there is none', () => {
    expect(new ConfigError('m')).not.toHaveProperty('cause');
  });

  it('the mark does not show where errors are printed or copied', () => {
    const error = new ConfigError('m');
    expect(Object.keys(error)).not.toContain('Symbol(hatchet-rx.error)');
    expect(Object.getOwnPropertySymbols(Object.assign({}, error))).toEqual([]);
  });
});

describe('isHatchetError', () => {
  it.for([
    ['another error', new Error('x')],
    ['an error of that name', Object.assign(new Error('x'), { name: 'ConfigError', _tag: 'ConfigError' })],
    ['null', null],
    ['undefined', undefined],
    ['a text', 'ConfigError'],
    ['an object', {}],
  ] as const)('%s is not one', ([, value]) => {
    expect(isHatchetError(value)).toBe(false);
  });

  it('knows the errors of a second copy of the library, and they match', async () => {
    vi.resetModules();
    const copy = await import('../../src/error/errors.ts');
    const foreign = new copy.RunNotFoundError('of the copy');
    expect(foreign).not.toBeInstanceOf(RunNotFoundError);
    expect(isHatchetError(foreign)).toBe(true);
    expect(matchError(foreign, saysItsName)).toBe('RunNotFoundError: of the copy');
    expect(copy.isHatchetError(new ConfigError('of this one'))).toBe(true);
  });
});

describe('matchError', () => {
  it('gives what the handler gives, and calls no other', () => {
    const spies = Object.fromEntries(names.map((tag) => [tag, vi.fn<() => string>(() => tag)]));
    const error = new RateLimitedError('m', { retryAfterMs: 1 });
    expect(matchError(error, spies as unknown as ErrorHandlers<string>)).toBe('RateLimitedError');
    const called = Object.entries(spies).filter(([, spy]) => spy.mock.calls.length > 0);
    expect(called.map(([tag]) => tag)).toEqual(['RateLimitedError']);
    expect(spies['RateLimitedError']).toHaveBeenCalledWith(error);
  });
});
