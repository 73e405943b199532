import type { RunsContext } from './runs/context.ts';

/** Under which a client carries what it is made of, for the other entry points of this package. */
const INTERNALS: unique symbol = Symbol.for('hatchet-rx.internals') as never;

/** Lets the other entry points at what `client` is made of. It stays out of sight: not enumerable, not in the types. */
export function withInternals<A extends object>(client: A, context: RunsContext): A {
  return Object.defineProperty(client, INTERNALS, { value: context });
}

/** What a client is made of; `undefined` for one that `createHatchet` did not make. */
export function internalsOf(client: object): RunsContext | undefined {
  // Only withInternals puts anything there.
  return Reflect.get(client, INTERNALS) as RunsContext | undefined;
}
