import { lastValueFrom, of, toArray } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { createHatchet, type Diagnostic } from 'hatchet-rx';
import { shielded } from '../../src/diagnostics.ts';
import { runStatus } from '../../src/http/endpoints.ts';
import type { Exchange } from '../../src/http/exchange.ts';
import type { RunsContext } from '../../src/runs/context.ts';
import { listOnce } from '../../src/runs/list.ts';
import { exchanging } from './support/exchanging.ts';
import { json, scripted } from './support/fake-transport.ts';
import { jwt, RUN } from './support/jwt.ts';

const row = { metadata: { id: RUN, createdAt: '2026-11-23T20:26:11Z' }, status: 'RUNNING' };

describe('diagnostics of a request', () => {
  it('tell each attempt, each answer and each repetition, in order', async () => {
    const told: Diagnostic[] = [];
    const transport = scripted({ status: 503 }, new Error('reset'), json('RUNNING'));
    const exchange = exchanging(transport, {
      diagnose: (diagnostic) => told.push(diagnostic),
      retry: { maxAttempts: 4, baseDelayMs: 1, maxDelayMs: 1 },
    });
    await lastValueFrom(exchange(runStatus('runs.getStatus', RUN)));
    const path = `/api/v1/stable/workflow-runs/${RUN}/status`;
    const same = { operation: 'runs.getStatus', method: 'GET', path };
    expect(told).toMatchObject([
      { type: 'request', ...same, attempt: 1 },
      { type: 'response', ...same, attempt: 1, status: 503 },
      { type: 'retry', operation: 'runs.getStatus', attempt: 1, error: { _tag: 'HttpStatusError' } },
      { type: 'request', ...same, attempt: 2 },
      { type: 'retry', operation: 'runs.getStatus', attempt: 2, error: { _tag: 'ConnectionError' } },
      { type: 'request', ...same, attempt: 3 },
      { type: 'response', ...same, attempt: 3, status: 200 },
    ]);
  });

  it('tell of rows that cannot be read', async () => {
    const told: Diagnostic[] = [];
    const transport = scripted(json({ rows: [row, { ...row, status: 5 }], pagination: {} }));
    const { runs } = createHatchet({ token: jwt(), transport, onDiagnostic: (each) => told.push(each) });
    const page = await lastValueFrom(runs.list());
    expect(page.rows).toHaveLength(1);
    expect(page.rejected).toHaveLength(1);
    expect(told.filter(({ type }) => type === 'rejected')).toEqual([
      { type: 'rejected', operation: 'runs.list', reasons: ['status is not a status'] },
    ]);
  });
});

describe('a listener', () => {
  it('that throws hurts no stream', async () => {
    const onDiagnostic = vi.fn<(diagnostic: Diagnostic) => void>(() => {
      throw new Error('metrics are down');
    });
    const transport = scripted({ status: 503 }, json('RUNNING'));
    const { runs } = createHatchet({ token: jwt(), transport, onDiagnostic, retry: { baseDelayMs: 1 } });
    await expect(lastValueFrom(runs.getStatus(RUN).pipe(toArray()))).resolves.toEqual(['RUNNING']);
    expect(onDiagnostic.mock.calls.length).toBeGreaterThanOrEqual(4);
  });

  it('that is not there is not called: there is nothing to call', () => {
    expect(shielded(undefined)).toBeUndefined();
  });

  it('that is not there has nothing built for it', async () => {
    const reason = vi.fn<() => string>(() => 'spoiled');
    const rejected = [
      {
        index: 0,
        row,
        get reason() {
          return reason();
        },
      },
    ];
    const exchange = (() => of({ rows: [], keys: [], pagination: {}, rejected })) as unknown as Exchange;
    const context = { exchange, namespace: '', diagnose: undefined } as unknown as RunsContext;
    await lastValueFrom(listOnce(context));
    expect(reason).not.toHaveBeenCalled();
    await lastValueFrom(listOnce({ ...context, diagnose: () => undefined }));
    expect(reason).toHaveBeenCalledTimes(1);
  });
});
