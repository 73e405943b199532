import { integerField, objectField, textField, textsField } from '../body.ts';
import { parseMicros } from '../clock.ts';
import { tasksToReplay } from '../control.ts';
import type { Exchange, Handler, Reply } from '../exchange.ts';
import { internalError, ok, refuse } from '../exchange.ts';
import { allRuns, readMetadata } from '../filters.ts';
import type { RunFilter } from '../filters.ts';
import { BadRequest, uuidFault } from '../query.ts';
import { STATUSES } from '../store.ts';
import type { Run, Status, Store } from '../store.ts';

// [hatchet] so many newest runs a filter takes hold of, with no sign that more remain
const CANCEL_CAP = 20_000;
const REPLAY_CAP = 1000;

// [hatchet] ids are handed on by gRPC, 38 bytes each, in a message of at most 4 MiB
const MAX_IDS = Math.floor(4_194_304 / 38);

const checkedUuids = (ids: readonly string[]): string[] =>
  ids.map((id) => {
    const why = uuidFault(id);
    if (why !== undefined) throw new BadRequest(why);
    return id.toLowerCase();
  });

const isStatus = (name: string): name is Status => STATUSES.some((status) => status === name);

const timeOf = (fields: Record<string, unknown>, name: string): number | undefined => {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  // [hatchet] here a bare date is not enough
  const micros = typeof value === 'string' && value.includes('T') ? parseMicros(value) : undefined;
  if (micros === undefined)
    throw new BadRequest(`parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00"`);
  return micros;
};

/** The filter of a cancel or replay; undefined when the server would answer 500. */
const readFilter = (fields: Record<string, unknown>): RunFilter | undefined => {
  const body = { fields, text: '' };
  const statuses = textsField(body, 'statuses') ?? [];
  const metadata = textsField(body, 'additionalMetadata') ?? [];
  const workflowIds = checkedUuids(textsField(body, 'workflowIds') ?? []);
  // [hatchet] what a list overlooks is a 500 here
  if (!statuses.every(isStatus) || metadata.some((text) => !text.includes(':'))) return undefined;
  return {
    sinceUs: timeOf(fields, 'since'),
    sinceInclusive: true,
    untilUs: timeOf(fields, 'until'),
    statuses: statuses.length === 0 ? undefined : new Set(statuses),
    workflowIds: workflowIds.length === 0 ? undefined : new Set(workflowIds),
    // [hatchet] always OR
    metadata: readMetadata(metadata, false),
    parentTaskId: undefined,
    eventId: undefined,
    idempotencyKeys: false,
  };
};

type Selection = { readonly ids: string[]; readonly runs?: readonly Run[] } | { readonly refusal: Reply };

/** The ids a cancel or replay is about. */
const selectionOf = (exchange: Exchange, store: Store, cap: number): Selection => {
  const body = exchange.body();
  if (body.kind === 'unsupported') return { refusal: refuse(415, 'Unsupported Media Type') };
  // [hatchet] an empty body, like an empty object, selects nothing
  if (body.kind === 'none') return { ids: [] };
  const ids = textsField(body, 'externalIds');
  const filter = objectField(body, 'filter');
  const checked = checkedUuids(ids ?? []);
  if (checked.length > MAX_IDS || (checked.length > 0 && filter !== undefined)) return { refusal: internalError() };
  if (filter === undefined) return { ids: checked };
  const read = readFilter(filter);
  if (read === undefined) return { refusal: internalError() };
  return { ids: allRuns(store.runs, read, cap).map((run) => run.externalId) };
};

/** `POST {T}/tasks/cancel` */
export const cancel: Handler = (exchange, { store, control }) => {
  const selection = selectionOf(exchange, store, CANCEL_CAP);
  if ('refusal' in selection) return selection.refusal;
  // [hatchet] the answer is an echo, given before anything has happened
  control.cancel(selection.ids);
  return ok({ ids: selection.ids });
};

/** `POST {T}/tasks/replay` */
export const replay: Handler = async (exchange, { store, control }) => {
  const selection = selectionOf(exchange, store, REPLAY_CAP);
  if ('refusal' in selection) return selection.refusal;
  const { named, meant } = tasksToReplay(store, selection.ids);
  await control.replay(meant);
  // [hatchet] task ids: unknown ones are left out, a DAG gives its steps
  return ok({ ids: named.map((task) => task.externalId) });
};

/** `POST /tasks/{task}/restore` */
export const restoreTask: Handler = ({ task }) =>
  // [hatchet] always true, whatever the task does
  task === undefined ? refuse(404, 'not found') : ok({ requeued: true });

const ZERO_UUID = '00000000-0000-0000-0000-000000000000';

const branches = new WeakMap<object, number>();

/** `POST {T}/durable-tasks/branch` */
export const branchDurableTask: Handler = (exchange, { store }) => {
  const body = exchange.body();
  if (body.kind === 'unsupported') return refuse(415, 'Unsupported Media Type');
  if (body.kind === 'none') return internalError();
  const [id = ''] = checkedUuids([textField(body, 'taskExternalId') ?? ZERO_UUID]);
  const task = store.taskById(id);
  // [hatchet] a task that is unknown or not durable is a 500
  if (task === undefined || task.run.visibility !== 'full' || !task.step.durable) return internalError();
  // [hatchet] any node will do, also one that does not exist
  const branchId = (branches.get(task) ?? 1) + 1;
  branches.set(task, branchId);
  return ok({ branchId, nodeId: integerField(body, 'nodeId') ?? 0, taskExternalId: id });
};

/** `GET {T}/durable-tasks/{task}` */
export const getDurableTaskLog: Handler = ({ target }, { store }) => {
  const id = target.subId.toLowerCase();
  if (uuidFault(id) !== undefined) return refuse(400, 'invalid durable task id');
  const task = store.taskById(id);
  if (task === undefined || task.run.visibility !== 'full') return refuse(404, 'not found');
  // Tasks of the engine do not wait durably: their log is empty.
  return ok([]);
};
