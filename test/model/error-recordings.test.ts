import { describe, expect, it } from 'vitest';
import type { HatchetError } from '../../src/error/errors.ts';
import { readAnswer } from '../../src/http/answer.ts';
import { isUuid } from '../../src/model/uuid.ts';
import { endpointOf } from './support/endpoint-of.ts';
import { bodyText, recording, type Recording, recordings } from './support/recordings.ts';

const failures = recordings.filter(({ status }) => status >= 300);

function errorOf(each: Recording): HatchetError {
  const found = endpointOf(each.request.method, each.request.path);
  const context = {
    operation: 'runs.test',
    method: each.request.method,
    path: each.request.path,
    attempts: 3,
    runId: found?.endpoint.runId,
    secrets: () => [],
  };
  try {
    readAnswer({ status: each.status, headers: each.headers, body: bodyText(each) }, (value) => value, context, 0);
  } catch (error) {
    return error as HatchetError;
  }
  throw new Error(`${each.name} was read`);
}

/** What the class of an error follows from. */
function expectedTag({ request, status }: Recording): string {
  if (status === 401 || status === 403) return 'AuthenticationError';
  const id = endpointOf(request.method, request.path)?.endpoint.runId;
  return status === 404 && id !== undefined ? 'RunNotFoundError' : 'HttpStatusError';
}

describe('recorded errors', () => {
  it('are there', () => {
    expect(failures.length).toBeGreaterThan(30);
  });

  it.for(failures.map((each) => [each.name, each] as const))('%s', ([, each]) => {
    const error = errorOf(each);
    expect(error).toMatchObject({
      _tag: expectedTag(each),
      name: expectedTag(each),
      operation: 'runs.test',
      method: each.request.method,
      path: each.request.path,
      status: each.status,
      attempts: 3,
      snippet: bodyText(each).slice(0, 500),
    });
    expect(error.message).toMatch(/^runs\.test: /);
  });

  it.for([
    ['error-unknown-id-details', 'RunNotFoundError', false],
    ['error-unknown-id-status', 'RunNotFoundError', false],
    ['error-unknown-id-task', 'RunNotFoundError', false],
    ['error-unknown-id-restore', 'RunNotFoundError', false],
    ['dag-running-task', 'RunNotFoundError', false],
    ['dag-step-id-on-workflow-runs', 'RunNotFoundError', false],
    ['error-bad-token-unknown-id', 'RunNotFoundError', false],
    ['error-wrong-tenant', 'HttpStatusError', false],
    ['error-no-token', 'AuthenticationError', false],
    ['error-bad-token', 'AuthenticationError', false],
    ['error-lowercase-bearer', 'AuthenticationError', false],
    ['error-other-tenant', 'AuthenticationError', false],
    ['error-unknown-path', 'AuthenticationError', false],
    ['error-head', 'AuthenticationError', false],
    ['error-text-plain', 'HttpStatusError', false],
    ['list-bad-since', 'HttpStatusError', false],
    ['list-limit-0', 'HttpStatusError', true],
    ['trigger-unknown-blocking', 'HttpStatusError', true],
    ['cancel-both', 'HttpStatusError', true],
  ] as const)('%s is a %s (retryable: %s)', ([name, tag, retryable]) => {
    expect(errorOf(recording(name))).toMatchObject({ _tag: tag, retryable });
  });

  it('both shapes of error bodies are quoted in the message', () => {
    expect(errorOf(recording('trigger-priority-9')).message).toContain('priority must be between 1 and 3, got 9');
    expect(errorOf(recording('error-text-plain')).message).toContain('Unsupported Media Type');
  });

  it('a refusal without a body hints at the server address, one with a body at the token', () => {
    expect(errorOf(recording('error-unknown-path')).message).toContain('serverUrl');
    expect(errorOf(recording('error-no-token')).message).toContain('token');
    expect(errorOf(recording('error-no-token')).message).not.toContain('serverUrl');
  });

  it('a run that is not found is named', () => {
    const each = recording('error-unknown-id-details');
    const error = errorOf(each);
    expect(isUuid(error.runId)).toBe(true);
    expect(each.request.path).toContain(error.runId);
    expect(error.message).toContain(error.runId);
  });
});
