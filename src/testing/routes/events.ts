import { refuse } from '../exchange.ts';
import type { Handler } from '../exchange.ts';
import { uuidFault } from '../query.ts';

// As many as a gateway takes by default.
const MAX_RUNS = 100;

/** `GET {T}/workflow-runs/{run}/events` and `GET {T}/workflow-runs/events?id=…&id=…`, as a gateway serves them. */
export const subscribeToStream: Handler = ({ target, query, lastEventId }, { store, streams }) => {
  const named = target.subId === '' ? query.list('id') : [target.subId.slice(0, -1)];
  const ids = [...new Set(named.map((id) => id.toLowerCase()))];
  if (ids.length === 0) return refuse(400, "query parameter 'id' is required");
  if (ids.length > MAX_RUNS) return refuse(400, `more than ${MAX_RUNS} runs on one stream`);
  if (ids.some((id) => uuidFault(id) !== undefined)) return refuse(400, 'invalid workflow run id');
  // Runs are here from their trigger on, also while they cannot be read yet.
  const runs = ids.flatMap((id) => store.runById(id) ?? []);
  if (runs.length < ids.length) return refuse(404, 'not found');
  return { status: 200, text: '', deliver: streams.of(runs, lastEventId ?? query.text('lastEventId')) };
};
