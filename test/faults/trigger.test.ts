import { lastValueFrom, toArray } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { createHatchet } from '../../src/index.ts';
import { type Fault, startEngine } from '../../src/testing/index.ts';
import { faultyClient } from '../support/faulty-client.ts';
import { all, errorWithTag, eventually, one, watch } from '../support/observe.ts';
import { registerWorkflows } from '../support/workflows.ts';

async function start() {
  const engine = await startEngine();
  registerWorkflows(engine);
  return engine;
}

const LOST_AFTER: readonly [string, Fault][] = [
  ['dropped', { kind: 'drop', stage: 'after' }],
  ['cut', { kind: 'cut', bytes: 20 }],
  ['a 500', { kind: 'status', status: 500, stage: 'after' }],
  ["a proxy's 504", { kind: 'status', status: 504, stage: 'after', body: '<html>' }],
  ['too late', { kind: 'stall', stage: 'after' }],
  ['truncated', { kind: 'truncate' }],
  ['malformed', { kind: 'malformed' }],
];

const LOST_BEFORE: readonly [string, Fault][] = [
  ['dropped', { kind: 'drop' }],
  ['a 500', { kind: 'status', status: 500 }],
  ['stalled', { kind: 'stall' }],
];

describe('a trigger whose answer is lost', () => {
  test.for(LOST_AFTER)('%s after acting: the tag finds the run', async ([, fault]) => {
    await using engine = await start();
    await using client = faultyClient(engine, { timeoutMs: 1_000 });
    client.fault({ ...fault, match: { operation: 'trigger' } });
    const error = await errorWithTag('AmbiguousTriggerError', client.runs.trigger('contract-quick', { n: 9 }));
    expect(client.requests().filter(({ operation }) => operation === 'trigger')).toHaveLength(1);
    expect(error).toMatchObject({ operation: 'runs.trigger', retryable: false, cause: { name: expect.any(String) } });

    await using other = faultyClient(engine);
    const [id = ''] = await eventually(async () => {
      const ids = await all(other.runs.listIds({ additionalMetadata: error.tag }));
      return ids.length > 0 ? ids : undefined;
    });
    const page = await one(other.runs.list({ additionalMetadata: error.tag }));
    expect(page.rows.map(({ metadata }) => metadata.id)).toEqual([id]);
    expect(await one(other.runs.getRunRef(id).result$)).toEqual({ ok: true, n: 9 });
  });

  test.for(LOST_BEFORE)('%s before acting: the tag finds nothing', async ([, fault]) => {
    await using engine = await start();
    await using client = faultyClient(engine, { timeoutMs: 1_000 });
    client.fault({ ...fault, match: { operation: 'trigger' } });
    const error = await errorWithTag('AmbiguousTriggerError', client.runs.create('contract-quick', {}));
    expect(client.requests().filter(({ operation }) => operation === 'trigger')).toHaveLength(1);
    expect((await one(client.runs.list({ additionalMetadata: error.tag }))).rows).toEqual([]);
    expect((await one(client.runs.list())).rows).toEqual([]);
  });

  test('no connection at all: the run cannot exist, and that is told', async () => {
    const engine = await start();
    const { url, token } = engine;
    await engine.close();
    await using hatchet = createHatchet({ serverUrl: url, token, retry: { maxAttempts: 1 } });
    const error = await errorWithTag('ConnectionError', hatchet.runs.trigger('contract-quick', {}));
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('an unsubscription before the answer sends nothing again', async () => {
    await using engine = await start();
    await using client = faultyClient(engine);
    client.fault({ kind: 'stall', match: { operation: 'trigger' } });
    const course = watch(client.runs.trigger('contract-quick', {}));
    const posts = () => client.requests().filter(({ operation }) => operation === 'trigger');
    await eventually(() => posts().length === 1);
    course.stop();
    await eventually(() => posts()[0]?.aborted);
    expect(posts()).toHaveLength(1);
    expect(course.ended).toBe('no');
  });

  test('each of two subscriptions has a tag of its own', async () => {
    await using engine = await start();
    await using client = faultyClient(engine);
    client.fault({ kind: 'drop', match: { operation: 'trigger' } });
    const triggered = client.runs.trigger('contract-quick', {});
    const errors = await Promise.all([
      errorWithTag('AmbiguousTriggerError', triggered),
      errorWithTag('AmbiguousTriggerError', triggered),
    ]);
    expect(errors[0]?.tag).not.toEqual(errors[1]?.tag);
  });
});

describe('a phantom id', () => {
  test('is a WorkflowNotFoundError even when the look-up of the name fails', async () => {
    await using engine = await start();
    await using client = faultyClient(engine);
    const remove = client.fault({ kind: 'status', status: 500, match: { operation: 'listWorkflows' } });
    // Nothing is known against the name, so the trigger goes through.
    const ref = await one(client.runs.trigger('contract-no-such-workflow', {}));
    remove();
    const error = await errorWithTag('WorkflowNotFoundError', ref.result$);
    expect(error.workflowName).toBe('contract-no-such-workflow');
    await errorWithTag('WorkflowNotFoundError', client.runs.get(ref.id));
  });

  test('a workflow that is registered a moment later is found', async () => {
    await using engine = await startEngine();
    await using client = faultyClient(engine);
    await errorWithTag('WorkflowNotFoundError', client.runs.trigger('late', {}));
    engine.workflow('late', () => ({ late: true }));
    const ref = await one(client.runs.trigger('late', {}));
    expect(await lastValueFrom(ref.result$.pipe(toArray()))).toEqual([{ late: true }]);
  });
});

describe('a read model that lags', () => {
  test('a run that is 404 for long is waited for', async () => {
    await using engine = await startEngine({ visibilityDelayMs: 700 });
    registerWorkflows(engine);
    await using client = faultyClient(engine);
    const details = await one(client.runs.create('contract-quick', { n: 1 }));
    expect(details.run.input).toMatchObject({ input: { n: 1 } });
    const ref = await one(client.runs.trigger('contract-quick', { n: 2 }));
    expect(await one(ref.result$)).toEqual({ ok: true, n: 2 });
    const slow = await one(client.runs.trigger('contract-slow', { ms: 60_000 }));
    expect(await one(slow.cancel())).toEqual([slow.id]);
    expect(await one(slow.status())).toBe('CANCELLED');
  });
});
