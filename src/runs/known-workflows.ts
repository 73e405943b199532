import { defer, EMPTY, expand, finalize, last, map, type Observable, share, takeWhile, tap } from 'rxjs';
import { isHatchetError } from '../error/errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { type NamedWorkflow, workflows } from '../http/endpoints.ts';

const PAGE = 100;

/** The workflows that are registered on the server, by exact name. */
export interface KnownWorkflows {
  /** Whether the name was found by an earlier look-up, or cannot be looked up at all (through a gateway that forbids it). */
  has(name: string): boolean;
  /** The id under this name, asked from the server; `undefined` when there is none. */
  idOf(operation: string, name: string): Observable<string | undefined>;
}

export function createKnownWorkflows(exchange: Exchange): KnownWorkflows {
  const names = new Set<string>();
  const underWay = new Map<string, Observable<string | undefined>>();

  const lookUp = (operation: string, name: string): Observable<string | undefined> =>
    pageWith(exchange, operation, name, 0).pipe(
      tap({
        next: (id) => {
          // Only good news is kept: a workflow that is missing now may be registered in a moment.
          if (id === undefined) names.delete(name);
          else names.add(name);
        },
        error: (error: unknown) => {
          if (isHatchetError(error) && !error.retryable) names.add(name);
        },
      }),
      finalize(() => underWay.delete(name)),
      // Many triggers at once of one workflow ask once.
      share(),
    );

  return {
    has: (name) => names.has(name),
    idOf: (operation, name) =>
      defer(() => {
        const question = underWay.get(name) ?? lookUp(operation, name);
        underWay.set(name, question);
        return question;
      }),
  };
}

/** [hatchet] The server searches for a part of the name, whatever its case; the exact one may be pages away. */
function pageWith(exchange: Exchange, operation: string, name: string, from: number): Observable<string | undefined> {
  const page = (offset: number) =>
    exchange(workflows(operation, name, offset, PAGE)).pipe(
      map(({ rows, rejected }) => ({
        found: idIn(rows, name),
        next: rows.length + rejected.length < PAGE ? undefined : offset + PAGE,
      })),
    );
  return page(from).pipe(
    expand(({ found, next }) => (found !== undefined || next === undefined ? EMPTY : page(next))),
    takeWhile(({ found, next }) => found === undefined && next !== undefined, true),
    map(({ found }) => found),
    last(),
  );
}

function idIn(rows: readonly NamedWorkflow[], name: string): string | undefined {
  return rows.find((row) => row.name === name)?.metadata.id;
}
