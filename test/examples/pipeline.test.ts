import { startEngine } from 'hatchet-rx/testing';
import { createHatchet } from 'hatchet-rx';
import { from, lastValueFrom, range, map, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import * as example from '../../examples/pipeline.ts';
import { linesOf, onEngine } from './on-engine.ts';

const order = (n: number) => ({ orderId: String(n), items: n });

describe('the pipeline', () => {
  it('ships what works, replays what fails, and gives up what goes on failing', async () => {
    await using playground = await onEngine(example);
    const { runs } = playground.hatchet;

    const outcomes = await lastValueFrom(
      example.pipeline(from([order(1), order(3), order(7)]), { runs, concurrency: 2, replays: 2 }).pipe(toArray()),
    );

    expect(outcomes.toSorted((a, b) => Number(a.order.orderId) - Number(b.order.orderId))).toEqual([
      { type: 'shipped', order: order(1), total: 25, parcel: 'parcel-1' },
      { type: 'shipped', order: order(3), total: 75, parcel: 'parcel-3' },
      { type: 'given up', order: order(7), error: expect.objectContaining({ _tag: 'RunFailedError' }) },
    ]);
    // Replays are attempts of the same run: one for order 3, two for order 7.
    const rows = await lastValueFrom(runs.list());
    const attempts = rows.rows
      .filter(({ displayName }) => displayName.startsWith('price-order'))
      .map((run) => [run.additionalMetadata['order'], run.attempt]);
    expect(Object.fromEntries(attempts)).toEqual({ 1: 1, 3: 2, 7: 3 });
  });

  it('never has more orders under way than it may', async () => {
    await using engine = await startEngine();
    let now = 0;
    let most = 0;
    let allHere = () => {};
    const fourHere = new Promise<void>((resolve) => {
      allHere = resolve;
    });
    engine.workflow('price-order', async ({ orderId, items }, task) => {
      now += 1;
      most = Math.max(most, now);
      // Nobody leaves before as many as may have come, however slow the machine.
      if (most === 4) allHere();
      await fourHere;
      await task.sleep(30);
      now -= 1;
      return { orderId, total: items };
    });
    engine.workflow('ship-order', ({ orderId }) => ({ parcel: orderId }));
    await using hatchet = createHatchet({ token: engine.token });

    const orders$ = range(1, 12).pipe(map(order));
    const outcomes = await lastValueFrom(
      example.pipeline(orders$, { runs: hatchet.runs, concurrency: 4, replays: 0 }).pipe(toArray()),
    );

    expect(outcomes.map(({ type }) => type)).toEqual(Array.from({ length: 12 }, () => 'shipped'));
    expect(most).toBe(4);
  });

  it('refuses an order that is none before anything is sent', async () => {
    await using playground = await onEngine(example);
    const { runs } = playground.hatchet;
    const broken = { orderId: '1', items: 'many' } as unknown as example.Order;

    const outcome = lastValueFrom(example.pipeline(from([broken]), { runs, concurrency: 1, replays: 2 }));

    await expect(outcome).rejects.toMatchObject({ _tag: 'ConfigError', message: expect.stringContaining('items') });
  });

  it('prints its outcomes', async () => {
    const lines = await linesOf(example);

    expect(lines).toHaveLength(8);
    expect(lines.filter((line) => line.includes('shipped as'))).toHaveLength(7);
    expect(lines.find((line) => line.startsWith('order 7:'))).toMatch(/^order 7: given up \(.*no price for order 7\)$/);
  });
});
