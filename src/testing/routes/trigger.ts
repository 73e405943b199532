import { flagField, integerField, objectField, textField } from '../body.ts';
import type { Handler } from '../exchange.ts';
import { internalError, ok, refuse, refuseOperation } from '../exchange.ts';
import { toJsonObject } from '../json.ts';
import { runDetails, triggerStub } from '../shapes.ts';

// [hatchet] the body is handed on by gRPC, whose messages end here
const MAX_MESSAGE_BYTES = 4_194_304;

// [hatchet] a blocking trigger looks ten times
const LOOKS = 10;

const bytes = (value: unknown): number => (value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value)));

/** `POST {T}/workflow-runs/trigger` */
export const trigger: Handler = async (exchange, services) => {
  const body = exchange.body();
  if (body.kind === 'unsupported') return refuse(415, 'Unsupported Media Type');
  // [hatchet] an empty body is a 500
  if (body.kind === 'none') return internalError();
  // [hatchet] nothing is required: without a name the id leads nowhere, without an input the run has null
  const name = textField(body, 'workflowName') ?? '';
  const input = objectField(body, 'input');
  const additionalMetadata = objectField(body, 'additionalMetadata');
  const priority = integerField(body, 'priority');
  const onlyId = flagField(body, 'return_only_id') ?? false;
  if (priority !== undefined && (priority < 1 || priority > 3)) {
    return refuseOperation(`priority must be between 1 and 3, got ${priority}`);
  }
  if (bytes(input) + bytes(additionalMetadata) + name.length + 16 > MAX_MESSAGE_BYTES) {
    return refuseOperation(`grpc: received message after decompression larger than max ${MAX_MESSAGE_BYTES}`);
  }

  const { executor, random, workflows, clock, timers, options, tenantId } = services;
  const workflow = workflows.get(name);
  const run =
    workflow &&
    executor.spawn({
      workflow,
      input: input === undefined ? null : toJsonObject(input),
      // [hatchet] a traceparent of one's own is replaced
      metadata: {
        ...toJsonObject(additionalMetadata ?? {}),
        traceparent: `00-${random.hex(32)}-${random.hex(16)}-01`,
      },
      priority: priority ?? 1,
    });
  if (onlyId) {
    // [hatchet] the stub's time has nanoseconds and is not the run's
    const now = new Date(Math.floor(clock.peek() / 1000)).toISOString().slice(0, -1);
    return ok(triggerStub(run?.externalId ?? random.uuid(), `${now}${Math.floor(random.next() * 899_999) + 100_001}Z`));
  }
  for (let look = 0; look < LOOKS; look += 1) {
    if (run !== undefined && run.visibility !== 'hidden') return ok(runDetails(run, tenantId, executor.workerId));
    await timers.pause(options.blockingPollMs);
  }
  // [hatchet] the run may exist all the same
  return internalError();
};
