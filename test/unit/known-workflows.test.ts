import { firstValueFrom, forkJoin } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createKnownWorkflows } from '../../src/runs/known-workflows.ts';
import { errorOf } from './support/caught.ts';
import { exchanging } from './support/exchanging.ts';
import { fakeTransport, json, scripted } from './support/fake-transport.ts';

const workflow = (name: string, id = `id of ${name}`) => ({ name, metadata: { id } });
const retry = { maxAttempts: 1, baseDelayMs: 1, maxDelayMs: 1 };

/** A server with these workflows, as far as a page goes. */
const serving = (rows: readonly unknown[]) =>
  fakeTransport(({ path }) => {
    const offset = Number(/offset=(\d+)/.exec(path)?.[1]);
    const limit = Number(/limit=(\d+)/.exec(path)?.[1]);
    return json({ rows: rows.slice(offset, offset + limit), pagination: {} });
  });

describe('the workflows of a server', () => {
  it('are found by their exact name', async () => {
    const known = createKnownWorkflows(
      exchanging(serving([workflow('Quick'), workflow('quick-2'), workflow('quick')])),
    );
    await expect(firstValueFrom(known.idOf('op', 'quick'))).resolves.toBe('id of quick');
    await expect(firstValueFrom(known.idOf('op', 'quic'))).resolves.toBeUndefined();
    expect([known.has('quick'), known.has('quic'), known.has('Quick')]).toEqual([true, false, false]);
  });

  it('are found on later pages, also behind rows that cannot be read', async () => {
    const others = Array.from({ length: 199 }, (_, index) => workflow(`quick-${index}`));
    const transport = serving([...others.slice(0, 30), 'not a row', ...others.slice(30), workflow('quick')]);
    const known = createKnownWorkflows(exchanging(transport));
    await expect(firstValueFrom(known.idOf('op', 'quick'))).resolves.toBe('id of quick');
    expect(transport.requests).toHaveLength(3);
  });

  it('the search ends with the page that has it', async () => {
    const transport = serving([
      workflow('quick'),
      ...Array.from({ length: 150 }, (_, index) => workflow(`quick-${index}`)),
    ]);
    await firstValueFrom(createKnownWorkflows(exchanging(transport)).idOf('op', 'quick'));
    expect(transport.requests).toHaveLength(1);
  });

  it('a name with letters of its own is written into the query', async () => {
    const transport = serving([workflow('a&b=ü')]);
    await firstValueFrom(createKnownWorkflows(exchanging(transport)).idOf('op', 'a&b=ü'));
    expect(transport.requests[0]?.path).toContain('name=a%26b%3D%C3%BC');
  });

  it('a look-up that is forbidden is not repeated by triggers; one that failed is', async () => {
    const forbidden = createKnownWorkflows(exchanging(scripted({ status: 403 }), { retry }));
    await errorOf(forbidden.idOf('op', 'quick'));
    expect(forbidden.has('quick')).toBe(true);
    const failing = createKnownWorkflows(exchanging(scripted({ status: 500 }), { retry }));
    await errorOf(failing.idOf('op', 'quick'));
    expect(failing.has('quick')).toBe(false);
  });

  it('a workflow that is gone is no longer known', async () => {
    const answers = [json({ rows: [workflow('quick')] }), json({ rows: [] })];
    const known = createKnownWorkflows(exchanging(scripted(...answers)));
    await firstValueFrom(known.idOf('op', 'quick'));
    await firstValueFrom(known.idOf('op', 'quick'));
    expect(known.has('quick')).toBe(false);
  });

  it('look-ups of different names do not mix', async () => {
    const known = createKnownWorkflows(exchanging(serving([workflow('a'), workflow('b')])));
    await expect(firstValueFrom(forkJoin([known.idOf('op', 'a'), known.idOf('op', 'b')]))).resolves.toEqual([
      'id of a',
      'id of b',
    ]);
  });
});
