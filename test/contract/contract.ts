import { afterAll, beforeAll, describe, vi } from 'vitest';
import { all } from '../support/observe.ts';
import { bulk } from './bulk.ts';
import { cancelling } from './cancelling.ts';
import { errors } from './errors.ts';
import { lists } from './lists.ts';
import { reads } from './reads.ts';
import { replaying } from './replaying.ts';
import { type Backend, type Open, openSession } from './session.ts';
import { tasks } from './tasks.ts';
import { triggering } from './triggering.ts';
import { waiting } from './waiting.ts';

/** A kind of server to hold the contract against. */
export interface ContractTarget {
  readonly name: string;
  readonly connect: () => Promise<Backend>;
  /** How long one test may take. Default 20 s. */
  readonly timeoutMs?: number;
}

/** Registers the suite of what every operation of the runs client promises, against one kind of server. */
export function registerContract({ name, connect, timeoutMs = 20_000 }: ContractTarget): void {
  describe(`the runs client against ${name}`, () => {
    const suite = { contract_suite: crypto.randomUUID() };
    let backend: Backend;
    vi.setConfig({ testTimeout: timeoutMs, hookTimeout: Math.max(timeoutMs, 60_000) });

    beforeAll(async () => {
      backend = await connect();
    });

    afterAll(async () => {
      // Runs that nobody waits for any more must not hold slots of a server that goes on.
      await using hatchet = backend.client();
      await all(hatchet.runs.bulkCancelByFiltersWithPagination({ additionalMetadata: suite, verify: false }));
      await backend.close();
    });

    const open: Open = (options) => openSession(backend, suite, options);
    const queuedRun = () => backend.queuedRun();

    triggering(open);
    reads(open);
    waiting(open);
    cancelling(open, queuedRun);
    replaying(open, queuedRun);
    lists(open);
    bulk(open);
    tasks(open);
    errors(open);
  });
}
