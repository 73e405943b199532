import type { Body } from './body.ts';
import type { Clock } from './clock.ts';
import type { Control } from './control.ts';
import type { Deliver, EventStreams } from './event-streams.ts';
import type { Executor } from './executor.ts';
import type { Target } from './operation.ts';
import type { ResolvedOptions } from './options.ts';
import type { Query } from './query.ts';
import type { Random } from './random.ts';
import type { Run, Store, Task } from './store.ts';
import type { Timers } from './timers.ts';
import type { Workflow } from './workflow.ts';

/** Everything an operation may use. */
export interface Services {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly options: ResolvedOptions;
  readonly executor: Executor;
  readonly control: Control;
  readonly streams: EventStreams;
  readonly workflows: ReadonlyMap<string, Workflow>;
  readonly tenantId: string;
  readonly otherTenantId: string;
}

/** A request that has passed the checks every request goes through. */
export interface Exchange {
  readonly target: Target;
  readonly query: Query;
  body(): Body;
  /** Where an event stream is to go on. */
  readonly lastEventId: string | undefined;
  /** Set when the path names a run or a task. */
  readonly run: Run | undefined;
  readonly task: Task | undefined;
}

/** An answer: the status, and the body as JSON text. */
export interface Reply {
  readonly status: number;
  readonly text: string;
  /** Writes the answer itself: an event stream. */
  readonly deliver?: Deliver;
}

/** Answers one operation. */
export type Handler = (exchange: Exchange, services: Services) => Reply | Promise<Reply>;

/** 200 with a JSON body. */
export const ok = (value: unknown): Reply => ({ status: 200, text: `${JSON.stringify(value)}\n` });

/** An error of the router, the binding or the checks: `{"message"}`. */
export const refuse = (status: number, message: string): Reply => ({
  status,
  text: `${JSON.stringify({ message })}\n`,
});

/** An error of the operation itself: `{"errors":[{"description"}]}`. */
export const refuseOperation = (description: string): Reply => ({
  status: 400,
  text: `${JSON.stringify({ errors: [{ description }] })}\n`,
});

/** [hatchet] every 500 has the same text. */
export const internalError = (): Reply => refuse(500, 'Internal Server Error');
