import express from 'express';
import fastify, { type FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { createHatchet } from '../../src/index.ts';
import { type Gateway, toNodeHandler } from '../../src/gateway/index.ts';
import { all, errorWithTag, one } from '../support/observe.ts';
import { chunksOf, talk } from './support/events.ts';
import { serve, stand } from './support/stand.ts';

/** What every way of mounting must be able to do; says `true`. */
async function works(serverUrl: string): Promise<boolean> {
  await using hatchet = createHatchet({ serverUrl, token: 'a-token', pollIntervalMs: 20, retry: { baseDelayMs: 5 } });
  const { runs } = hatchet;
  const events = await all(runs.triggerAndStream('talk', { chunks: 10, everyMs: 2 }));
  expect(chunksOf(events)).toEqual(talk(10));
  const ref = await one(runs.trigger('quick', { n: 3 }, { additionalMetadata: { way: 'mounted' } }));
  expect(await one(ref.result$)).toEqual({ ok: true, n: 3 });
  expect(
    (await one(runs.list({ additionalMetadata: { way: 'mounted' } }))).rows.map(({ metadata }) => metadata.id),
  ).toEqual([ref.id]);
  const waiting = await one(runs.trigger('wait', {}));
  expect(await one(waiting.cancel())).toEqual([waiting.id]);
  await errorWithTag('RunNotFoundError', runs.getStatus(crypto.randomUUID()));
  return true;
}

describe('mounted', () => {
  it('in node:http', async () => {
    await using gate = await stand();
    await using server = await serve(toNodeHandler(gate.gateway));
    expect(await works(server.url)).toBe(true);
  });

  it('in node:http, below a path', async () => {
    await using gate = await stand({ basePath: '/hatchet' });
    await using server = await serve(toNodeHandler(gate.gateway));
    expect(await works(`${server.url}/hatchet`)).toBe(true);
  });

  it('in Express', async () => {
    await using gate = await stand();
    const app = express();
    app.use('/hatchet', toNodeHandler(gate.gateway));
    app.get('/other', (_, response) => void response.send('other'));
    await using server = await serve(app);
    expect(await works(`${server.url}/hatchet`)).toBe(true);
    expect(await (await fetch(`${server.url}/other`)).text()).toBe('other');
  });

  it('in Express behind body parsers, as NestJS has them', async () => {
    await using gate = await stand({ basePath: '/hatchet' });
    const app = express();
    app.use(express.json(), express.urlencoded({ extended: true }));
    app.use('/hatchet', toNodeHandler(gate.gateway));
    await using server = await serve(app);
    expect(await works(`${server.url}/hatchet`)).toBe(true);
  });

  it('in Fastify', async () => {
    await using gate = await stand({ basePath: '/hatchet' });
    const app = fastify({ forceCloseConnections: true });
    mount(app, gate.gateway);
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    expect(await works(`${url}/hatchet`)).toBe(true);
    await app.close();
  });

  it('in whatever speaks fetch', async () => {
    await using gate = await stand({ basePath: '/hatchet' });
    const response = await gate.ask('/hatchet/api/v1/tenants/default/workflows?name=quick');
    expect(await response.json()).toMatchObject({ rows: [{ name: 'quick' }] });
  });
});

/** As in docs/gateway.md. */
function mount(app: FastifyInstance, gateway: Gateway): void {
  const handler = toNodeHandler(gateway);
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.all('/hatchet/*', (request, reply) => {
      reply.hijack();
      handler(request.raw, reply.raw);
    });
  });
}
