import { formatMicros } from '../clock.ts';
import type { Handler } from '../exchange.ts';
import { ok } from '../exchange.ts';
import { workflowRow } from '../shapes.ts';

/** `GET /api/v1/tenants/{t}/workflows` */
export const listWorkflows: Handler = ({ query }, { workflows }) => {
  const wanted = query.integer('limit') ?? 50;
  // [hatchet] here numbers out of range are put right
  const limit = wanted <= 0 ? 50 : wanted;
  const offset = Math.max(0, query.integer('offset') ?? 0);
  const name = query.text('name')?.toLowerCase() ?? '';
  const found = [...workflows.values()].filter((workflow) => workflow.name.toLowerCase().includes(name)).toReversed();
  const pages = Math.ceil(found.length / limit);
  const current = 1 + Math.ceil(offset / limit);
  return ok({
    // [hatchet] the last page names itself as the next one
    pagination: { current_page: current, next_page: current === pages ? current : current + 1, num_pages: pages },
    rows: found.slice(offset, offset + limit).map(workflowRow),
  });
};

/** `GET /api/v1/tenants/{t}/worker` */
export const listWorkers: Handler = (_, { workflows, executor, options, clock }) => {
  const beat = formatMicros(Math.floor(clock.peek() / 1000) * 1000);
  return ok({
    pagination: { current_page: 1, next_page: 1, num_pages: 1 },
    rows: [
      {
        actions: [...workflows.values()].flatMap((workflow) => workflow.steps.map((step) => step.actionId)),
        dispatcherId: executor.workerId,
        labels: [],
        lastHeartbeatAt: beat,
        metadata: { createdAt: beat, id: executor.workerId, updatedAt: beat },
        name: 'embedded',
        slotConfig: { default: { available: options.concurrency - executor.busy(), limit: options.concurrency } },
        status: 'ACTIVE',
        type: 'SELFHOSTED',
      },
    ],
  });
};
