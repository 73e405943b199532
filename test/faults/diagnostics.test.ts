import { concatMap } from 'rxjs';
import { expect, test } from 'vitest';
import { createHatchet } from '../../src/index.ts';
import { startEngine } from '../../src/testing/index.ts';
import { faultyClient } from '../support/faulty-client.ts';
import { all, errorOf, one } from '../support/observe.ts';
import { EVERYTHING } from '../support/operations.ts';
import { registerWorkflows } from '../support/workflows.ts';

const sorted = (lines: readonly string[]) => [...lines].sort();

test('every request, answer and retry is told, as the server saw them', async () => {
  await using engine = await startEngine({ replayBatchPauseMs: 1 });
  registerWorkflows(engine);
  await using client = faultyClient(engine);
  const tag = { told: 'yes' };
  const [completed = '', replayable = '', durable = ''] = engine.seedRuns({
    count: 3,
    workflow: 'contract-durable',
    additionalMetadata: tag,
  });
  client.fault({ kind: 'status', status: 503, every: 4, match: { method: 'GET' } });
  client.fault({ kind: 'drop', every: 7, match: { method: 'GET' } });
  for (const { call } of EVERYTHING) await all(call(client.runs, { completed, replayable, durable, tag }));
  await errorOf(client.runs.get('00000000-0000-4000-8000-000000000000'));
  await all(client.runs.trigger('contract-flaky', {}).pipe(concatMap(({ result$ }) => result$)));

  const told = client.told.flatMap((d) => (d.type === 'request' ? [`${d.method} ${d.path}`] : []));
  expect(told.length).toBeGreaterThan(50);
  expect(sorted(told)).toEqual(sorted(client.requests().map(({ method, path }) => `${method} ${path}`)));

  const answers = client.told.flatMap((d) => (d.type === 'response' ? [`${d.status} ${d.method} ${d.path}`] : []));
  const answered = client.requests().filter(({ faults }) => !faults.includes('drop'));
  expect(sorted(answers)).toEqual(sorted(answered.map(({ status, method, path }) => `${status} ${method} ${path}`)));

  const retries = client.told.filter(({ type }) => type === 'retry');
  const again = client.told.filter((d) => d.type === 'request' && d.attempt > 1);
  expect(retries).toHaveLength(again.length);
  expect(retries.length).toBeGreaterThan(5);
  expect(JSON.stringify(client.told)).not.toContain(engine.token);
});

test('a listener that throws disturbs nothing', async () => {
  await using engine = await startEngine();
  registerWorkflows(engine);
  await using hatchet = createHatchet({
    token: engine.token,
    onDiagnostic: () => {
      throw new Error('a bug of the listener');
    },
  });
  const ref = await one(hatchet.runs.trigger('contract-flaky', {}));
  expect(await one(ref.result$)).toEqual({ attempt: 2 });
});

test('the token is in no error, also when a proxy sends it back', async () => {
  await using engine = await startEngine();
  await using client = faultyClient(engine, { retry: { maxAttempts: 1 } });
  for (const fault of [
    { kind: 'status', status: 502, body: `<pre>authorization: Bearer ${engine.token}</pre>` },
    { kind: 'status', status: 400, body: { message: `bad header ${engine.token}` } },
    { kind: 'status', status: 403, body: { message: engine.token } },
    { kind: 'malformed', body: engine.token },
    { kind: 'transform', transform: () => engine.token },
  ] as const) {
    const remove = client.fault(fault);
    const error = await errorOf(client.runs.list());
    const text = [error.message, error.stack, JSON.stringify(error), String(error.cause)].join(' ');
    expect(text).not.toContain(engine.token);
    expect(error.snippet?.length ?? 0).toBeLessThanOrEqual(500);
    remove();
  }
});
