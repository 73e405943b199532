import { createHatchet, type Diagnostic, type Hatchet, type HatchetOptions, type RunsClient } from '../../src/index.ts';
import type { Engine, Fault, RecordedRequest } from '../../src/testing/index.ts';

/** A client whose faults hit its own requests only, so that many tests can share one engine at the same time. */
export interface FaultyClient extends AsyncDisposable {
  readonly hatchet: Hatchet;
  readonly runs: RunsClient;
  readonly told: readonly Diagnostic[];
  /** Adds a fault for this client's requests; the function it returns removes it. */
  readonly fault: (fault: Fault) => () => void;
  /** This client's requests as the engine received them. */
  readonly requests: () => RecordedRequest[];
}

const MARK = 'x-test-client';

/** Short times: what is waited for comes in milliseconds here. */
const QUICK: HatchetOptions = { pollIntervalMs: 20, timeoutMs: 10_000 };

export function faultyClient(engine: Engine, options: HatchetOptions = {}): FaultyClient {
  const mark = crypto.randomUUID();
  const told: Diagnostic[] = [];
  const removals: (() => void)[] = [];
  const hatchet = createHatchet({
    token: engine.token,
    serverUrl: engine.url,
    headers: { [MARK]: mark },
    onDiagnostic: (diagnostic) => told.push(diagnostic),
    ...QUICK,
    ...options,
    retry: { baseDelayMs: 5, maxDelayMs: 20, ...options.retry },
  });
  const isMine = (request: RecordedRequest) => request.headers[MARK] === mark;
  return {
    hatchet,
    runs: hatchet.runs,
    told,
    fault(fault) {
      const { when = () => true } = fault.match ?? {};
      const match = { ...fault.match, when: (request: RecordedRequest) => isMine(request) && when(request) };
      const remove = engine.faults.add({ ...fault, match });
      removals.push(remove);
      return remove;
    },
    requests: () => engine.requests.filter(isMine),
    async [Symbol.asyncDispose]() {
      await hatchet.close();
      for (const remove of removals) remove();
    },
  };
}
