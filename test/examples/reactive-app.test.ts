import { lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import * as app from '../../examples/reactive-app.ts';
import { linesOf, onEngine } from './on-engine.ts';

const settle = (status: string) => ['COMPLETED', 'FAILED', 'CANCELLED'].includes(status);

describe('the reactive app', () => {
  it('follows every run to its end, and counts them', async () => {
    await using playground = await onEngine(app);
    const { runs } = playground.hatchet;
    const additionalMetadata = { session: 'test' };
    const trigger = (workflow: string, input: object) =>
      lastValueFrom(runs.trigger(workflow, input, { additionalMetadata }));
    const refs = [await trigger('quick', { n: 7 }), await trigger('slow', { ms: 800 }), await trigger('fail', {})];
    // Somebody else's run: not counted.
    await lastValueFrom(runs.create('quick', { n: 8 }));

    const views = await lastValueFrom(app.dashboard({ runs, refs, additionalMetadata, refreshMs: 50 }).pipe(toArray()));

    expect(views.at(-1)).toEqual({
      tiles: [
        { runId: refs[0]?.id, status: 'COMPLETED', outcome: '{"n":7}' },
        { runId: refs[1]?.id, status: 'COMPLETED', outcome: '{"slept":800}' },
        { runId: refs[2]?.id, status: 'FAILED', outcome: 'RunFailedError' },
      ],
      counts: { COMPLETED: 2, FAILED: 1 },
    });
    // It was live: the slow run was seen at work, beside others that had ended.
    expect(views.some(({ tiles }) => tiles[1]?.status === 'RUNNING' && settle(tiles[0]?.status ?? ''))).toBe(true);
    // Nothing that has ended goes back.
    const fallbacks = views.flatMap(({ tiles }, index) =>
      tiles.filter(({ status }, place) => {
        const next = views[index + 1]?.tiles[place]?.status ?? status;
        return settle(status) && next !== status;
      }),
    );
    expect(fallbacks).toEqual([]);
    const texts = views.map((view) => JSON.stringify(view));
    expect(texts.every((text, index) => text !== texts[index - 1])).toBe(true);
  });

  it('shows a run that does not exist as a tile', async () => {
    await using playground = await onEngine(app);
    const { runs } = playground.hatchet;
    const ref = runs.getRunRef('11111111-2222-4333-8444-555555555555');

    const last = await lastValueFrom(
      app.dashboard({ runs, refs: [ref], additionalMetadata: { session: 'none' }, refreshMs: 50 }),
    );

    expect(last).toEqual({ tiles: [{ runId: ref.id, status: 'PENDING', outcome: 'RunNotFoundError' }], counts: {} });
  });

  it('prints its views', async () => {
    const lines = await linesOf(app);

    expect(lines.at(-1)).toBe(
      '[COMPLETED {"n":1}] [COMPLETED {"slept":600}] [COMPLETED {"slept":1200}] [FAILED RunFailedError]  1 FAILED, 3 COMPLETED',
    );
  });
});
