import type { Operation } from './operation.ts';
import type { RecordedRequest } from './recorded-request.ts';

/** Which requests a fault is for; all given fields must fit. */
export interface FaultMatch {
  /** `GET`, `POST`, … */
  readonly method?: string | undefined;
  /** A part of the path (without query), or a pattern for it. */
  readonly path?: string | RegExp | undefined;
  readonly operation?: Operation | readonly Operation[] | undefined;
  /** Any other condition. */
  readonly when?: ((request: RecordedRequest) => boolean) | undefined;
}

/** When and how often a fault strikes. */
export interface FaultTiming {
  /** @defaultValue every request */
  readonly match?: FaultMatch | undefined;
  /** How many matching requests are let through first. @defaultValue 0 */
  readonly skip?: number | undefined;
  /** Strikes each n-th matching request (after `skip`). @defaultValue 1 */
  readonly every?: number | undefined;
  /** How many times it strikes in all. @defaultValue no end */
  readonly times?: number | undefined;
}

/** Whether the server has acted when the fault strikes. */
export interface FaultStage {
  /**
   * `before`: the server never sees the request. `after`: it has done what was asked, and only the answer is lost.
   * @defaultValue 'before'
   */
  readonly stage?: 'before' | 'after' | undefined;
}

/**
 * Something that goes wrong between client and server. Faults are looked at in the order in which they were added; of
 * those that strike one request, all delays add up, all transforms are applied, and the first of the other kinds wins.
 */
export type Fault = FaultTiming &
  (
    | /** The connection is destroyed without an answer. */ ({ readonly kind: 'drop' } & FaultStage)
    | /** No answer until the fault is removed; then the request is answered as usual. */ ({
        readonly kind: 'stall';
      } & FaultStage)
    | /** The answer is held back. */ {
        readonly kind: 'delay';
        /** Milliseconds. */
        readonly ms: number;
      }
    | /** The connection is destroyed after so many bytes of the body. */ {
        readonly kind: 'cut';
        readonly bytes: number;
      }
    | /** Another status than the server's. */ ({
        readonly kind: 'status';
        readonly status: number;
        /** The Retry-After header: seconds, or a date. @defaultValue none */
        readonly retryAfter?: number | Date | undefined;
        /** A text as it is, everything else as JSON. @defaultValue `{"message":"Internal Server Error"}` */
        readonly body?: unknown;
        /** Further headers. */
        readonly headers?: Readonly<Record<string, string>> | undefined;
      } & FaultStage)
    | /** A whole HTTP answer whose JSON ends too early. */ {
        readonly kind: 'truncate';
        /** @defaultValue half of them */
        readonly bytes?: number | undefined;
      }
    | /** A 200 whose body is no JSON. */ {
        readonly kind: 'malformed';
        /** @defaultValue an HTML page */
        readonly body?: string | undefined;
        /** @defaultValue 'text/html' */
        readonly contentType?: string | undefined;
      }
    | /** The JSON of the answer is replaced by what the function returns; it may change what it is given. */ {
        readonly kind: 'transform';
        // The answer is whatever JSON the operation gives, and only the author of the fault knows which.
        // oxlint-disable-next-line typescript/no-explicit-any
        readonly transform: (answer: any, request: RecordedRequest) => unknown;
      }
  );

/** The faults of an engine. */
export interface Faults {
  /** Adds a fault; the function it returns removes it, and releases what it stalls. */
  add(fault: Fault): () => void;
  /** Removes them all. */
  clear(): void;
}

/** What strikes one request. */
export interface Strike {
  readonly kinds: Fault['kind'][];
  readonly delayMs: number;
  readonly transforms: Extract<Fault, { kind: 'transform' }>['transform'][];
  readonly fault: Exclude<Fault, { kind: 'delay' | 'transform' }> | undefined;
  /** Kept when a stalling fault is removed. */
  readonly released: Promise<void>;
}

/** The faults of an engine, and the engine's own side of them. */
export interface FaultBox extends Faults {
  /** What strikes `request`; undefined when nothing does. Counts it. */
  strike(request: RecordedRequest): Strike | undefined;
}

interface Entry {
  readonly fault: Fault;
  seen: number;
  struck: number;
  readonly release: () => void;
  readonly released: Promise<void>;
}

const fits = (match: FaultMatch | undefined, request: RecordedRequest): boolean => {
  if (match === undefined) return true;
  const { method, path, operation, when } = match;
  if (method !== undefined && method !== request.method) return false;
  if (typeof path === 'string' && !request.path.includes(path)) return false;
  if (path instanceof RegExp && request.path.search(path) < 0) return false;
  if (typeof operation === 'string' && operation !== request.operation) return false;
  if (Array.isArray(operation) && !operation.includes(request.operation)) return false;
  return when === undefined || when(request);
};

/** Whether the fault strikes this matching request; counts it. */
const isTurn = (entry: Entry): boolean => {
  const { skip = 0, every = 1, times = Number.POSITIVE_INFINITY } = entry.fault;
  entry.seen += 1;
  const number = entry.seen - skip;
  if (number <= 0 || number % every !== 0 || entry.struck >= times) return false;
  entry.struck += 1;
  return true;
};

const NEVER_RELEASED = Promise.resolve();

/** An empty box of faults. */
export const createFaultBox = (): FaultBox => {
  const entries = new Set<Entry>();
  return {
    add(fault) {
      let release = (): void => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const entry: Entry = { fault, seen: 0, struck: 0, release, released };
      entries.add(entry);
      return () => {
        entries.delete(entry);
        release();
      };
    },
    clear() {
      for (const entry of entries) entry.release();
      entries.clear();
    },
    strike(request) {
      if (entries.size === 0) return undefined;
      const kinds: Fault['kind'][] = [];
      const transforms: Strike['transforms'] = [];
      let delayMs = 0;
      let main: Strike['fault'];
      let released = NEVER_RELEASED;
      for (const entry of entries) {
        const { fault } = entry;
        const isMain = fault.kind !== 'delay' && fault.kind !== 'transform';
        if ((isMain && main !== undefined) || !fits(fault.match, request) || !isTurn(entry)) continue;
        kinds.push(fault.kind);
        if (fault.kind === 'delay') delayMs += fault.ms;
        else if (fault.kind === 'transform') transforms.push(fault.transform);
        else {
          main = fault;
          released = entry.released;
        }
      }
      return kinds.length === 0 ? undefined : { kinds, delayMs, transforms, fault: main, released };
    },
  };
};
