import { createClock } from './clock.ts';
import { createControl } from './control.ts';
import { createEventStreams } from './event-streams.ts';
import type { Services } from './exchange.ts';
import { createExecutor } from './executor.ts';
import { createFaultBox } from './faults.ts';
import type { Faults } from './faults.ts';
import { listen } from './http.ts';
import { resolveOptions } from './options.ts';
import type { EngineOptions } from './options.ts';
import { createRandom } from './random.ts';
import type { RecordedRequest } from './recorded-request.ts';
import { seedRuns } from './seed-runs.ts';
import type { SeedRuns } from './seed-runs.ts';
import { createStore } from './store.ts';
import { createTimers } from './timers.ts';
import { createWorkflow } from './workflow.ts';
import type { DagTask, TaskFunction, Workflow, WorkflowOptions } from './workflow.ts';

/**
 * A Hatchet in the same process: its REST API on 127.0.0.1, with workflows that are TypeScript functions.
 *
 * `await using engine = await startEngine()` closes it at the end of the block.
 */
export interface Engine {
  /** Where the REST API is, such as `http://127.0.0.1:40123`. */
  readonly url: string;
  /** The token that is accepted: JWT-shaped, and it names the tenant and the url, as the server's do. */
  readonly token: string;
  readonly tenantId: string;
  /** A tenant that exists but is not the token's: asking for it is a 403. */
  readonly otherTenantId: string;
  /** Host and port in the token's `grpc_broadcast_address`. Nothing speaks gRPC there yet. */
  readonly grpcAddress: string;
  /** Registers a workflow of one task; a name that is taken gets the new function. */
  workflow(name: string, run: TaskFunction, options?: WorkflowOptions): void;
  /** Registers a workflow of several steps; throws when their parents do not add up. */
  dag(name: string, tasks: Readonly<Record<string, DagTask>>, options?: { readonly description?: string }): void;
  /** What goes wrong between client and server. */
  readonly faults: Faults;
  /** The requests received, oldest first; those being answered are there already. */
  readonly requests: readonly RecordedRequest[];
  /** Puts many finished or waiting runs into the store at once; they are never run. Gives their ids, oldest first. */
  seedRuns(seeds: SeedRuns): string[];
  /** From now on only a new token is accepted, which is returned and becomes {@link Engine.token}. */
  rotateToken(): string;
  /** Ends everything: connections, timers, running tasks (their signals abort). */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Starts an engine, in milliseconds. */
export const startEngine = async (options: EngineOptions = {}): Promise<Engine> => {
  const resolved = resolveOptions(options);
  const random = createRandom(resolved.seed);
  const tenantId = resolved.tenantId?.toLowerCase() ?? random.uuid();
  const otherTenantId = random.uuid();
  const clock = createClock();
  const timers = createTimers();
  const store = createStore();
  const workflows = new Map<string, Workflow>();
  const executor = createExecutor({ store, clock, random, timers, options: resolved, workflows });
  const control = createControl({ store, executor, clock, random, timers, options: resolved });
  const streams = createEventStreams(store, resolved.heartbeatMs);
  const faults = createFaultBox();
  const services: Services = {
    store,
    clock,
    random,
    timers,
    options: resolved,
    executor,
    control,
    streams,
    workflows,
    tenantId,
    otherTenantId,
  };
  let token = '';
  const server = await listen(resolved.port, { faults, token: () => token, services: () => services });
  const grpcAddress = `127.0.0.1:${server.port}`;
  const url = `http://${grpcAddress}`;
  const createToken = (): string =>
    [
      base64url({ alg: 'none', kid: 'embedded' }),
      base64url({
        aud: url,
        exp: Math.floor(clock.peek() / 1e6) + 10 * 365 * 86_400,
        grpc_broadcast_address: grpcAddress,
        iat: Math.floor(clock.peek() / 1e6),
        iss: url,
        server_url: url,
        sub: tenantId,
        token_id: random.uuid(),
      }),
      base64url('embedded engine, not signed'),
    ].join('.');
  token = resolved.token ?? createToken();

  const register = (
    name: string,
    tasks: Readonly<Record<string, DagTask>>,
    kind: { isDag: boolean; description?: string | undefined },
  ): void => {
    const workflow = createWorkflow(name, tasks, kind, random, clock);
    const known = workflows.get(name);
    // A workflow keeps its id when it gets a new version.
    workflows.set(name, known === undefined ? workflow : { ...workflow, id: known.id, createdAt: known.createdAt });
  };
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      executor.close();
      timers.close();
      streams.close();
      faults.clear();
      await server.close();
    })();
    return closing;
  };
  return {
    url,
    get token() {
      return token;
    },
    tenantId,
    otherTenantId,
    grpcAddress,
    workflow(name, run, { description, ...task } = {}) {
      register(name, { [name]: { ...task, run } }, { isDag: false, description });
    },
    dag(name, tasks, { description } = {}) {
      register(name, tasks, { isDag: true, description });
    },
    faults,
    requests: server.requests,
    seedRuns: (seeds) => seedRuns(seeds, services),
    rotateToken() {
      token = createToken();
      return token;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
};
