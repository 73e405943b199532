import type { RunFilter } from '../model/filter.ts';
import { isKnownStatus, type V1TaskStatus } from '../model/status.ts';
import { isUuid } from '../model/uuid.ts';
import { refused } from './answers.ts';

/** The parameters of a request, each read once, strictly: what is authorized must be what is sent. */
export interface Query {
  one(name: string): string | undefined;
  many(name: string): readonly string[];
}

/** [hatchet] Beyond 10,000 parameters the server drops the whole query, filters included: far below, it is refused. */
const MAX_PARAMETERS = 5_000;

/** Rows of one answer. [hatchet] The server knows no limit, and is busy for half a minute with 20,000. */
const MAX_ROWS = 10_000;

export function readQuery(params: URLSearchParams): Query {
  if (params.size > MAX_PARAMETERS) throw refused(400, `more than ${MAX_PARAMETERS} parameters`);
  return {
    one(name) {
      const values = params.getAll(name);
      // [hatchet] A repeated scalar is refused.
      if (values.length > 1) throw invalid(name, `multiple values for single value parameter '${name}'`);
      return values[0];
    },
    many: (name) => params.getAll(name),
  };
}

/** Which runs a request selects, as the server will understand it. */
export interface Selection {
  /** As sent: microseconds matter. */
  readonly since: string | undefined;
  readonly until: string | undefined;
  readonly statuses: readonly V1TaskStatus[];
  readonly workflowIds: readonly string[];
  /** Pairs that a run must have, `any` of them or all. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly any: boolean;
  readonly runningFilter: 'ALL' | 'ON_WORKER' | 'EVICTED' | undefined;
  readonly onlyTasks: boolean | undefined;
  readonly workerId: string | undefined;
  readonly parentTaskExternalId: string | undefined;
  readonly triggeringEventExternalId: string | undefined;
  readonly idempotencyKeys: readonly string[];
  readonly includePayloads: boolean | undefined;
}

/** A selection and the part of it that a page shows. */
export interface PageSelection extends Selection {
  readonly limit: number;
  readonly offset: number;
}

/** What a list of runs is asked for. */
export function readList(query: Query): PageSelection {
  const onlyTasks = flag('only_tasks', query.one('only_tasks'));
  if (onlyTasks === undefined) throw invalid('only_tasks', "query parameter 'only_tasks' is required");
  return {
    ...readCommon(query),
    ...readLineage(query),
    // [hatchet] Upper case only; anything else means OR.
    any: query.one('additional_metadata_operator') !== 'AND',
    onlyTasks,
    workerId: uuid('worker_id', query.one('worker_id')),
    idempotencyKeys: query.many('idempotency_keys'),
    includePayloads: flag('include_payloads', query.one('include_payloads')),
    limit: whole('limit', query.one('limit'), 1, MAX_ROWS) ?? 50,
    offset: whole('offset', query.one('offset'), 0, 2 ** 31 - 1) ?? 0,
  };
}

/** What the list of ids is asked for. [hatchet] Several pairs mean OR here. */
export function readIds(query: Query): Selection {
  return readCommon(query);
}

/** What counts are asked for. [hatchet] Several pairs mean OR here. */
export function readMetrics(query: Query): Selection {
  return { ...readCommon(query), ...readLineage(query) };
}

/** The filter in the body of a cancel or replay. [hatchet] Several pairs mean OR here. */
export function readBodyFilter(filter: Readonly<Record<string, unknown>>): Selection {
  const texts = (name: string): readonly string[] => {
    const value = filter[name] ?? [];
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
      throw refused(400, `filter.${name} must be a list of texts`);
    }
    return value.map(String);
  };
  const time = (name: string): string | undefined => {
    const value = filter[name] ?? undefined;
    if (value !== undefined && typeof value !== 'string') throw refused(400, `filter.${name} must be a time`);
    return timeOf(name, value);
  };
  return {
    ...NOTHING_SAID,
    since: time('since'),
    until: time('until'),
    statuses: statusesOf(texts('statuses')),
    workflowIds: uuids('workflowIds', texts('workflowIds')),
    metadata: pairsOf(texts('additionalMetadata')),
  };
}

/** The selection as the library's own filter, for `authorize`. */
export function filterOf(selection: Selection): RunFilter {
  const { since, until, statuses, workflowIds, metadata, any, idempotencyKeys } = selection;
  const { onlyTasks, workerId, parentTaskExternalId, triggeringEventExternalId, includePayloads, runningFilter } =
    selection;
  return {
    ...(since === undefined ? {} : { since: new Date(since) }),
    ...(until === undefined ? {} : { until: new Date(until) }),
    ...(statuses.length === 0 ? {} : { statuses }),
    ...(workflowIds.length === 0 ? {} : { workflowIds }),
    ...(Object.keys(metadata).length === 0
      ? {}
      : { additionalMetadata: metadata, matchMetadata: any ? ('any' as const) : ('all' as const) }),
    ...(idempotencyKeys.length === 0 ? {} : { idempotencyKeys }),
    onlyTasks,
    workerId,
    parentTaskExternalId,
    triggeringEventExternalId,
    includePayloads,
    runningFilter,
  };
}

const NOTHING_SAID: Selection = {
  since: undefined,
  until: undefined,
  statuses: [],
  workflowIds: [],
  metadata: {},
  any: true,
  runningFilter: undefined,
  onlyTasks: undefined,
  workerId: undefined,
  parentTaskExternalId: undefined,
  triggeringEventExternalId: undefined,
  idempotencyKeys: [],
  includePayloads: undefined,
};

function readCommon(query: Query): Selection {
  const running = query.one('running_filter');
  return {
    ...NOTHING_SAID,
    since: timeOf('since', query.one('since')),
    until: timeOf('until', query.one('until')),
    statuses: statusesOf(query.many('statuses')),
    workflowIds: uuids('workflow_ids', query.many('workflow_ids')),
    metadata: pairsOf(query.many('additional_metadata')),
    // [hatchet] An unknown one is ignored.
    runningFilter: running === 'ALL' || running === 'ON_WORKER' || running === 'EVICTED' ? running : undefined,
  };
}

function readLineage(query: Query): Pick<Selection, 'parentTaskExternalId' | 'triggeringEventExternalId'> {
  return {
    parentTaskExternalId: uuid('parent_task_external_id', query.one('parent_task_external_id')),
    triggeringEventExternalId: uuid('triggering_event_external_id', query.one('triggering_event_external_id')),
  };
}

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?$/;

function timeOf(name: string, value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (!TIME.test(value) || Number.isNaN(Date.parse(value))) throw invalid(name, `'${value}' is not an RFC 3339 time`);
  return value;
}

/** [hatchet] A list of unknown statuses would select every status. */
function statusesOf(values: readonly string[]): readonly V1TaskStatus[] {
  return values.map((value) => {
    if (!isKnownStatus(value)) throw invalid('statuses', `'${value}' is not a status`);
    return value;
  });
}

/** [hatchet] A pair is split at its first colon; one without a colon would select all runs; of a key that is there twice, the last counts. */
function pairsOf(values: readonly string[]): Readonly<Record<string, string>> {
  const pairs = values.map((value): [string, string] => {
    const colon = value.indexOf(':');
    if (colon < 1) throw invalid('additional_metadata', `'${value}' is not a pair key:value`);
    return [value.slice(0, colon), value.slice(colon + 1)];
  });
  return Object.fromEntries(pairs);
}

function uuid(name: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : uuids(name, [value])[0];
}

export function uuids(name: string, values: readonly string[]): readonly string[] {
  return values.map((value) => {
    const id = value.toLowerCase();
    if (!isUuid(id)) throw invalid(name, `'${value}' is not a UUID`);
    return id;
  });
}

function flag(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (['true', '1', 't', 'T', 'TRUE', 'True'].includes(value)) return true;
  if (['false', '0', 'f', 'F', 'FALSE', 'False'].includes(value)) return false;
  throw invalid(name, `'${value}' is neither true nor false`);
}

function whole(name: string, value: string | undefined, least: number, most: number): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,10}$/.test(value) || Number(value) < least || Number(value) > most) {
    throw invalid(name, `'${value}' is not a whole number from ${least} to ${most}`);
  }
  return Number(value);
}

function invalid(name: string, reason: string) {
  return refused(400, `Invalid format for parameter ${name}: ${reason}`);
}
