import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHatchet, type Hatchet, type HatchetOptions } from '../../../src/index.ts';
import { createGateway, type Gateway, type GatewayOptions, toNodeHandler } from '../../../src/gateway/index.ts';
import { type Engine, type EngineOptions, startEngine } from '../../../src/testing/index.ts';

/** A server of node:http on a free port of 127.0.0.1. */
export interface Served {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, port, close, [Symbol.asyncDispose]: close };
}

/** An engine, a gateway in front of it, and clients of both. */
export interface Stand {
  readonly engine: Engine;
  readonly gateway: Gateway;
  readonly url: string;
  readonly port: number;
  /** The gateway's own client: everything is allowed to it. */
  readonly owner: Hatchet;
  /** What the gateway told its owner. */
  readonly errors: unknown[];
  /** A client of the gateway; closed with the stand. */
  client(options?: HatchetOptions): Hatchet;
  /** Asks the gateway, without the network. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface StandOptions extends Partial<GatewayOptions> {
  readonly engine?: EngineOptions;
  readonly owner?: HatchetOptions;
}

/** Speeds up what waits for its turn. */
const QUICK: HatchetOptions = { pollIntervalMs: 20, retry: { baseDelayMs: 5, maxDelayMs: 50 } };

export const TENANT = '/api/v1/stable/tenants/default';
export const RUNS = '/api/v1/stable/workflow-runs';

export async function stand({
  engine: engineOptions,
  owner: ownerOptions,
  ...options
}: StandOptions = {}): Promise<Stand> {
  const engine = await startEngine({ concurrency: 200, ...engineOptions });
  registerStreams(engine);
  const owner = createHatchet({ token: engine.token, serverUrl: engine.url, ...QUICK, ...ownerOptions });
  const errors: unknown[] = [];
  const gateway = createGateway({
    hatchet: owner,
    authorize: () => true,
    onError: (error) => errors.push(error),
    ...options,
  });
  const server = await serve(toNodeHandler(gateway));
  const clients: Hatchet[] = [];
  const close = async () => {
    await Promise.all(clients.map((client) => client.close()));
    await gateway.close();
    await server.close();
    await owner.close();
    await engine.close();
  };
  return {
    engine,
    gateway,
    url: server.url,
    port: server.port,
    owner,
    errors,
    client(more = {}) {
      const client = createHatchet({ serverUrl: server.url, token: 'a-token-of-the-gateway', ...QUICK, ...more });
      clients.push(client);
      return client;
    },
    ask: (path, init) => gateway.fetch(new Request(`http://gateway${path}`, init)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A POST with a JSON body. */
export const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

function registerStreams(engine: Engine): void {
  engine.workflow('quick', ({ n = 0 }) => ({ ok: true, n }));
  engine.workflow('wait', async ({ ms = 60_000 }, ctx) => {
    await ctx.sleep(ms);
    return {};
  });
  // Streams its chunks with a pause of `everyMs` before each.
  engine.workflow('talk', async ({ chunks = 3, everyMs = 0, length = 0 }, ctx) => {
    for (let n = 0; n < chunks; n += 1) {
      if (everyMs > 0) await ctx.sleep(everyMs);
      await ctx.putStream(`chunk ${n}${'.'.repeat(length)}`);
    }
    return { chunks };
  });
  engine.workflow('fail', () => {
    throw new Error('it broke');
  });
  engine.dag('steps', {
    first: { run: (_, ctx) => ctx.putStream('first') },
    second: { parents: ['first'], run: (_, ctx) => ctx.putStream('second') },
  });
  engine.workflow('again', async (_, ctx) => {
    await ctx.putStream(`attempt ${ctx.retryCount}`);
    return {};
  });
  engine.workflow('parent', async (_, ctx) => {
    await ctx.runChild('quick', { n: 1 });
    return {};
  });
}
