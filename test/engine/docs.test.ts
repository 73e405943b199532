import { readFileSync } from 'node:fs';
import { NonRetryableError, startEngine } from 'hatchet-rx/testing';
import type { EngineOptions } from 'hatchet-rx/testing';
import { describe, expect, test } from 'vitest';
import { resolveOptions } from '../../src/testing/options.ts';
import { apiOf } from './helpers.ts';

const guide = readFileSync(new URL('../../docs/embedded-engine.md', import.meta.url), 'utf8');

describe('the guide', () => {
  test('names every option', () => {
    const names = Object.keys(resolveOptions({} satisfies EngineOptions));
    expect(names.filter((name) => !guide.includes(`\`${name}\``))).toEqual([]);
  });

  test('names every kind of fault', () => {
    const source = readFileSync(new URL('../../src/testing/faults.ts', import.meta.url), 'utf8');
    const kinds = [...source.matchAll(/readonly kind: '(\w+)'/g)].map(([, kind]) => kind);
    expect(kinds).toHaveLength(8);
    expect(kinds.filter((kind) => !guide.includes(`| \`${kind}\` |`))).toEqual([]);
  });

  test('has workflows that run', async () => {
    await using engine = await startEngine({ backoffSecondMs: 1 });
    let charges = 0;
    engine.workflow(
      'charge',
      () => {
        charges += 1;
        throw new NonRetryableError('declined');
      },
      { retries: 3, backoff: { factor: 2, maxSeconds: 10 }, timeoutMs: 5_000 },
    );
    engine.dag('order', {
      reserve: { run: () => ({ seat: 12 }) },
      pay: { run: () => ({ paid: true }), retries: 2 },
      confirm: { parents: ['reserve', 'pay'], run: (_, ctx) => ({ seat: ctx.parentOutput('reserve') }) },
    });
    const api = apiOf(engine);
    const order = await api.trigger('order');
    await api.until(order, 'COMPLETED');
    expect((await api.get(`/workflow-runs/${order}`)).run.output).toEqual({ seat: { seat: 12 } });
    await api.until(await api.trigger('charge'), 'FAILED');
    expect(charges).toBe(1);
  });
});
