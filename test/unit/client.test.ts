import { NEVER } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { createHatchet } from 'hatchet-rx';
import { errorOf } from './support/caught.ts';
import { json, scripted } from './support/fake-transport.ts';
import { jwt, RUN, TENANT } from './support/jwt.ts';

describe('createHatchet', () => {
  it('sends nothing, and neither do its operations before they are subscribed', () => {
    const transport = scripted(json('RUNNING'));
    const { runs, tenantId } = createHatchet({ token: jwt(), transport });
    runs.get(RUN);
    runs.trigger('w', {});
    runs.cancel(RUN);
    const ref = runs.getRunRef(RUN);
    expect(ref.id).toBe(RUN);
    expect(ref).not.toHaveProperty('then');
    expect(tenantId).toBe(TENANT);
    expect(transport.requests).toEqual([]);
  });

  it('with a token function, learns its tenant from the first token', async () => {
    const hatchet = createHatchet({ token: () => jwt(), transport: scripted(json('RUNNING')) });
    expect(hatchet.tenantId).toBe('default');
    const done = vi.fn<() => void>();
    await new Promise<void>((resolve) => {
      hatchet.runs.getStatus(RUN).subscribe({ next: done, complete: resolve });
    });
    expect(done).toHaveBeenCalledWith('RUNNING');
    expect(hatchet.tenantId).toBe(TENANT);
  });

  it('nothing throws synchronously, however wrong the arguments', async () => {
    const transport = scripted(json('RUNNING'));
    const { runs } = createHatchet({ token: jwt(), transport });
    const wrong = [
      () => runs.get('abc'),
      () => runs.getStatus(undefined as unknown as string),
      () => runs.getTaskRun(''),
      () => runs.getResult('../tenants'),
      () => runs.cancel(`${RUN}?x=1`),
      () => runs.replay(null as unknown as string),
      () => runs.trigger('', {}),
      () => runs.trigger(' ', {}),
      () => runs.trigger('w', []),
      () => runs.trigger('w', 'text'),
      () => runs.trigger('w', { big: 1n }),
      () => runs.trigger('w', {}, { priority: 9 as 3 }),
      () => runs.trigger('w', {}, { additionalMetadata: { n: 1 } as unknown as Record<string, string> }),
      () => runs.trigger('w', {}, { waitTimeoutMs: -1 }),
      () => runs.getTimings(RUN, { depth: 11 }),
      () => runs.getTaskLogs(RUN, { limit: 0 }),
      () => runs.getTaskLogs(RUN, { since: new Date(Number.NaN) }),
      () => runs.getMetrics({ additionalMetadata: { a: '1', b: '2' } }),
      () => runs.branchDurableTask({ taskExternalId: RUN, nodeId: -1, branchId: 1 }),
      () => runs.getRunRef('abc').status$,
      () => runs.getRunRef('abc').result$,
    ];
    for (const call of wrong) expect(await errorOf(call())).toMatchObject({ _tag: 'ConfigError', retryable: false });
    expect(transport.requests).toEqual([]);
  });
});

describe('close', () => {
  it('ends what is under way and what comes later with a ConfigError, and closes the transport', async () => {
    const transport = scripted(NEVER);
    const hatchet = createHatchet({ token: jwt(), transport });
    const underWay = errorOf(hatchet.runs.getStatus(RUN));
    const waiting = errorOf(hatchet.runs.getRunRef(RUN).result$);
    expect(transport.underWay()).toBe(2);
    await hatchet.close();
    await expect(underWay).resolves.toMatchObject({ _tag: 'ConfigError', message: 'the client was closed' });
    await expect(waiting).resolves.toMatchObject({ _tag: 'ConfigError' });
    expect(transport.underWay()).toBe(0);
    expect(transport.closed()).toBe(true);
    const sent = transport.requests.length;
    await expect(errorOf(hatchet.runs.list())).resolves.toMatchObject({ _tag: 'ConfigError' });
    expect(transport.requests).toHaveLength(sent);
  });

  it('may be called twice, and by "await using"', async () => {
    const transport = scripted(json('RUNNING'));
    {
      await using hatchet = createHatchet({ token: jwt(), transport });
      await hatchet.close();
    }
    expect(transport.closed()).toBe(true);
  });
});
