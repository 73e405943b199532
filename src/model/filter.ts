import { ConfigError } from '../error/errors.ts';
import { isRecord } from './json.ts';
import { isKnownStatus, KNOWN_STATUSES, type V1TaskStatus } from './status.ts';
import { isUuid } from './uuid.ts';

/** Which runs. Everything given must hold; what is left out does not matter, but for the window (last 24 hours). */
export interface RunFilter {
  /** Created at or after. Default: 24 hours before `until`. */
  readonly since?: Date | undefined;
  /** Created at or before. [hatchet] Creation time, not the time of the end. Default: now. */
  readonly until?: Date | undefined;
  /** Any of these. */
  readonly statuses?: readonly V1TaskStatus[] | undefined;
  /** Metadata pairs, all of which must be there unless `matchMetadata` is `any`. */
  readonly additionalMetadata?: Readonly<Record<string, string>> | undefined;
  readonly matchMetadata?: 'all' | 'any' | undefined;
  /** Tasks (a DAG's steps one by one) instead of runs. Default false; true when `workerId` is given. */
  readonly onlyTasks?: boolean | undefined;
  readonly workflowIds?: readonly string[] | undefined;
  /** Exact names, resolved to ids with a request of their own; an unknown one is a `WorkflowNotFoundError`. */
  readonly workflowNames?: readonly string[] | undefined;
  /** Tasks that this worker was given. [hatchet] Only for `onlyTasks`. */
  readonly workerId?: string | undefined;
  /** Child runs of this run. [hatchet] Not for `onlyTasks`. */
  readonly parentTaskExternalId?: string | undefined;
  readonly triggeringEventExternalId?: string | undefined;
  /** Whether rows carry `input` and `output`; without, both are `{}`. Default true. */
  readonly includePayloads?: boolean | undefined;
  /** Of running durable tasks: those on a worker, or those evicted from theirs. */
  readonly runningFilter?: 'ALL' | 'ON_WORKER' | 'EVICTED' | undefined;
  readonly idempotencyKeys?: readonly string[] | undefined;
}

/** A filter for one page. */
export interface ListFilter extends RunFilter {
  /** Rows at most. Default 50. */
  readonly limit?: number | undefined;
  /** Rows to skip. Default 0. */
  readonly offset?: number | undefined;
}

/** The filter that was really applied: defaults filled in, names resolved. */
export interface AppliedFilter {
  readonly since: Date;
  /** Absent when the window was open towards now. */
  readonly until?: Date;
  readonly statuses?: readonly V1TaskStatus[];
  readonly additionalMetadata?: Readonly<Record<string, string>>;
  readonly matchMetadata: 'all' | 'any';
  readonly onlyTasks: boolean;
  readonly workflowIds?: readonly string[];
  readonly workflowNames?: readonly string[];
  readonly workerId?: string;
  readonly parentTaskExternalId?: string;
  readonly triggeringEventExternalId?: string;
  readonly includePayloads: boolean;
  readonly runningFilter?: 'ALL' | 'ON_WORKER' | 'EVICTED';
  readonly idempotencyKeys?: readonly string[];
}

/** A filter's fields and how each is checked: what fails here would be answered with silence by the server. */
const CHECKS: { readonly [K in keyof Required<RunFilter>]: (value: unknown, name: string) => void } = {
  since: checkDate,
  until: checkDate,
  statuses: (value, name) => checkStatuses(value, name),
  additionalMetadata: checkMetadataFilter,
  matchMetadata: oneOf('all', 'any'),
  onlyTasks: checkBoolean,
  workflowIds: checkIds,
  workflowNames: checkTexts,
  workerId: checkId,
  parentTaskExternalId: checkId,
  triggeringEventExternalId: checkId,
  includePayloads: checkBoolean,
  runningFilter: oneOf('ALL', 'ON_WORKER', 'EVICTED'),
  idempotencyKeys: checkTexts,
};

/** [hatchet] Beyond 10,000 query parameters the whole query is dropped; this leaves room for the fixed ones. */
const MAX_VALUES = 9_900;

const DAY_MS = 24 * 60 * 60 * 1_000;

/**
 * Checks a filter and fills in its defaults. Throws `ConfigError` for whatever the server would quietly misunderstand.
 *
 * @param extra - the names of further fields that the operation knows and checks itself
 */
export function applyFilter(
  operation: string,
  filter: RunFilter,
  now: number,
  extra: readonly string[] = [],
): AppliedFilter {
  checkFields(operation, filter, extra);
  if (filter.workerId !== undefined && filter.onlyTasks === false) {
    throw new ConfigError(`${operation}: workerId selects tasks, so it cannot go with onlyTasks: false`, { operation });
  }
  checkSize(operation, filter);
  const onlyTasks = filter.onlyTasks ?? filter.workerId !== undefined;
  if (onlyTasks && filter.parentTaskExternalId !== undefined) {
    throw new ConfigError(
      `${operation}: parentTaskExternalId selects runs, so it cannot go with onlyTasks or workerId`,
      {
        operation,
      },
    );
  }
  const since = filter.since ?? new Date((filter.until?.getTime() ?? now) - DAY_MS);
  if (filter.until !== undefined && since > filter.until) {
    const window = `${since.toISOString()} is after ${filter.until.toISOString()}`;
    throw new ConfigError(`${operation}: since must not be after until (${window})`, { operation });
  }
  const { additionalMetadata: metadata, ...rest } = filter;
  const given = Object.fromEntries(
    Object.entries(rest).filter(([key, value]) => value !== undefined && !extra.includes(key)),
  );
  return {
    ...given,
    ...(metadata !== undefined && Object.keys(metadata).length > 0 ? { additionalMetadata: metadata } : {}),
    since,
    onlyTasks,
    matchMetadata: filter.matchMetadata ?? 'all',
    includePayloads: filter.includePayloads ?? true,
  };
}

/** Throws `ConfigError` if `options` has a field that is not known: a misspelled one would be ignored without a sign. */
export function checkKeys(operation: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new ConfigError(`${operation}: there is no option "${unknown}"; there are ${known.join(', ')}`, {
      operation,
    });
  }
}

/** Throws `ConfigError` unless `value` is a whole number from `least` on. */
export function checkWhole(operation: string, name: string, value: number | undefined, least: number): void {
  // [hatchet] A limit of 0 or below, or beyond 32 bits, is answered 500.
  if (value !== undefined && (!Number.isInteger(value) || value < least || value > 2 ** 31 - 1)) {
    throw new ConfigError(`${operation}: ${name} must be a whole number from ${least} on, not ${String(value)}`, {
      operation,
    });
  }
}

/** Throws `ConfigError` unless `value` is a date, if it is given. */
export function checkTime(operation: string, name: string, value: Date | undefined): void {
  if (value !== undefined && (!(value instanceof Date) || Number.isNaN(value.getTime()))) {
    throw new ConfigError(`${operation}: ${name} must be a valid Date`, { operation });
  }
}

/** Throws `ConfigError` unless `id` is a UUID. */
export function checkRunId(operation: string, id: string): void {
  if (!isUuid(id))
    throw new ConfigError(`${operation}: ${JSON.stringify(id) ?? 'undefined'} is not the id of a run (a UUID)`, {
      operation,
    });
}

function checkFields(operation: string, filter: unknown, extra: readonly string[]): void {
  if (!isRecord(filter)) throw new ConfigError(`${operation}: the filter must be an object`, { operation });
  for (const [name, value] of Object.entries(filter)) {
    if (extra.includes(name) || value === undefined) continue;
    if (!isFilterName(name)) {
      const known = [...Object.keys(CHECKS), ...extra].join(', ');
      throw new ConfigError(`${operation}: there is no filter "${name}"; there are ${known}`, { operation });
    }
    try {
      CHECKS[name](value, name);
    } catch (error) {
      throw error instanceof Error ? new ConfigError(`${operation}: ${error.message}`, { operation }) : error;
    }
  }
}

/** All lists of a filter go into one query. */
function checkSize(operation: string, filter: RunFilter): void {
  const { statuses, workflowIds, workflowNames, idempotencyKeys, additionalMetadata = {} } = filter;
  const lists = [statuses, workflowIds, workflowNames, idempotencyKeys, Object.keys(additionalMetadata)];
  const values = lists.reduce((sum, list) => sum + (list?.length ?? 0), 0);
  if (values > MAX_VALUES) {
    throw new ConfigError(`${operation}: the filter has ${values} values, more than ${MAX_VALUES}`, { operation });
  }
}

function isFilterName(name: string): name is keyof RunFilter {
  return Object.hasOwn(CHECKS, name);
}

function checkDate(value: unknown, name: string): void {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw new Error(`${name} must be a valid Date`);
}

function checkBoolean(value: unknown, name: string): void {
  if (typeof value !== 'boolean') throw new Error(`${name} must be true or false`);
}

function checkId(value: unknown, name: string): void {
  if (!isUuid(value)) throw new Error(`${name} must be a UUID, not ${JSON.stringify(value)}`);
}

function checkTexts(value: unknown, name: string): asserts value is readonly string[] {
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string' || item === '')) {
    throw new Error(`${name} must be an array of non-empty strings`);
  }
  // An empty array would mean "all" to the server, and "none" to most readers.
  if (value.length === 0) throw new Error(`${name} is empty: leave it out to mean "any"`);
  if (value.length > MAX_VALUES) throw new Error(`${name} has ${value.length} values, more than ${MAX_VALUES}`);
}

function checkIds(value: unknown, name: string): void {
  checkTexts(value, name);
  for (const id of value) checkId(id, `each of ${name}`);
}

function checkStatuses(value: unknown, name: string): void {
  checkTexts(value, name);
  const unknown = value.find((status) => !isKnownStatus(status));
  if (unknown !== undefined) throw new Error(`"${unknown}" is not a status; there are ${KNOWN_STATUSES.join(', ')}`);
}

function checkMetadataFilter(value: unknown, name: string): void {
  // A Map, Headers or URLSearchParams would read as "no metadata", and so as "all runs".
  if (!isRecord(value) || Symbol.iterator in value) throw new Error(`${name} must be a plain object of strings`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw new Error(`${name}.${key} must be a string (the server compares text)`);
    // [hatchet] A pair is split at its first colon.
    if (key === '' || key.includes(':'))
      throw new Error(`${name}: the key "${key}" cannot be filtered by (empty, or with a colon)`);
  }
}

function oneOf(...values: readonly string[]): (value: unknown, name: string) => void {
  return (value, name) => {
    if (!values.includes(String(value)))
      throw new Error(`${name} must be one of ${values.join(', ')}, not ${JSON.stringify(value)}`);
  };
}
