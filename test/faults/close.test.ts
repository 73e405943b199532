import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, type RecordedRequest, startEngine } from '../../src/testing/index.ts';
import { registerWorkflows } from '../support/workflows.ts';

interface Report {
  readonly name: string;
  readonly before: Record<string, number>;
  readonly after: Record<string, number>;
  readonly watched?: number;
  readonly ends?: readonly string[];
  readonly late?: number;
  readonly rejections: readonly string[];
  readonly timers?: number;
  readonly grownBytes?: number;
  readonly scenarios?: number;
}

const PROGRAM = fileURLToPath(new URL('../support/close-scenarios.ts', import.meta.url));

const has = (header: string) => (request: RecordedRequest) =>
  String(request.headers[header] ?? '')
    .split(',')
    .includes(request.operation);

/** The faults that a request asks for by its headers: the client is in another process. */
function obeyHeaders({ faults }: Engine): void {
  faults.add({ kind: 'stall', match: { when: has('x-stall') } });
  faults.add({ kind: 'status', status: 503, match: { when: has('x-fail') } });
  faults.add({ kind: 'status', status: 404, body: { message: 'not found' }, match: { when: has('x-missing') } });
  faults.add({
    kind: 'transform',
    match: { operation: 'getRunStatus', when: ({ headers }) => headers['x-status'] !== undefined },
    transform: (_, { headers }) => headers['x-status'],
  });
}

let engine: Engine;
let reports: Report[];
let exit: { code: number | null; signal: string | null; errors: string };

beforeAll(async () => {
  engine = await startEngine({ keepRequests: 100 });
  registerWorkflows(engine);
  obeyHeaders(engine);
  const tag = { close: 'yes' };
  const ids = engine.seedRuns({
    count: 8,
    workflow: 'contract-quick',
    additionalMetadata: tag,
    output: () => ({ ok: true }),
  });
  const given = JSON.stringify({ url: engine.url, token: engine.token, ids, tag });
  const child = spawn(
    process.execPath,
    ['--expose-gc', '--import', 'tsx', '--conditions=@hatchet-rx/source', PROGRAM],
    {
      env: { ...process.env, CLOSE_SCENARIOS: given },
      stdio: ['ignore', 'pipe', 'pipe'],
      // One that hangs is to be seen as such, with what it has told so far.
      timeout: 50_000,
    },
  );
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  exit = await new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, errors }));
  });
  reports = output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Report);
});

afterAll(() => engine.close());

describe('after close()', () => {
  test('the process ends by itself, after every scenario', () => {
    expect({ ...exit, last: reports.at(-1)?.name }).toEqual({ code: 0, signal: null, errors: '', last: 'end' });
    expect(reports).toHaveLength((reports.at(-1)?.scenarios ?? 0) + 2);
  });

  test('no timer and no socket is left', () => {
    for (const { name, before, after } of reports.slice(0, -1))
      expect({ name, left: after }).toEqual({ name, left: before });
  });

  test('no rejection is unhandled, and nothing is warned of', () => {
    expect(reports.slice(0, -1).flatMap(({ name, rejections }) => rejections.map((text) => [name, text]))).toEqual([]);
  });

  test('all that was under way has ended with a ConfigError', () => {
    const ends = reports.filter(({ watched = 0 }) => watched > 0).map(({ name, ends }) => [name, ends]);
    expect(ends.length).toBeGreaterThan(10);
    for (const end of ends) expect(end).toEqual([end[0], ['ConfigError']]);
  });

  test('no request is sent any more', () => {
    expect(reports.filter(({ late = 0 }) => late > 0)).toEqual([]);
  });
});

test('5,000 requests leave nothing behind', () => {
  const report = reports.find(({ name }) => name === 'leaks');
  expect(report?.timers).toBe(report?.before['Timeout'] ?? 0);
  // Two hundred bytes for each; a subscriber or an answer that stays is several times as much.
  expect(report?.grownBytes).toBeLessThan(1_000_000);
});
