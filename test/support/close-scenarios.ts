// A program of its own, run by test/faults/close.test.ts: uses a client in many ways, closes it in the middle, and tells
// what is left in the process. The engine runs elsewhere, so that whatever is left is the client's.
import { mergeMap, range } from 'rxjs';
import {
  createHatchet,
  eachValue,
  type Hatchet,
  type HatchetOptions,
  isHatchetError,
  type RunsClient,
} from '../../src/index.ts';
import { all, type Course, eventually, one, pause, watch } from './observe.ts';

/** What the parent process has prepared. */
interface Given {
  readonly url: string;
  readonly token: string;
  /** Ended runs; all carry `tag`. */
  readonly ids: readonly string[];
  readonly tag: Readonly<Record<string, string>>;
}

interface Stage {
  readonly hatchet: Hatchet;
  readonly runs: RunsClient;
  /** Subscribes; the end must be the ConfigError of the close. */
  readonly watch: <A>(source: Parameters<typeof watch<A>>[0]) => Course<A>;
  /** Waits until so many requests have been sent. */
  readonly sent: (count: number) => Promise<unknown>;
}

interface Scenario {
  readonly name: string;
  readonly options?: HatchetOptions;
  readonly act: (stage: Stage) => unknown;
}

const given = JSON.parse(process.env['CLOSE_SCENARIOS'] ?? '{}') as Given;
const { ids, tag } = given;
const [first = '', second = '', third = ''] = ids;

/** Of requests for this operation no answer comes. */
const stall = (operation: string): HatchetOptions => ({ headers: { 'x-stall': operation } });
const fail = (operation: string): HatchetOptions => ({ headers: { 'x-fail': operation } });

const SCENARIOS: readonly Scenario[] = [
  { name: 'nothing done', act: () => undefined },
  { name: 'after use', act: ({ runs }) => all(range(0, 50).pipe(mergeMap(() => runs.list()))) },
  {
    name: 'in the middle of 50 waits',
    act: async ({ runs, watch, sent }) => {
      for (let n = 0; n < 50; n += 1) {
        const ref = await one(runs.trigger('contract-slow', { ms: 60_000 }));
        watch(ref.status$);
        watch(ref.result$);
      }
      await sent(200);
    },
  },
  {
    name: 'in the middle of waits with a deadline',
    options: { waitTimeoutMs: 60_000 },
    act: async ({ runs, watch, sent }) => {
      const ref = await one(runs.trigger('contract-slow', { ms: 60_000 }));
      watch(ref.status$);
      watch(ref.result$);
      await sent(5);
    },
  },
  {
    name: 'between two chunks',
    act: async ({ runs, watch }) => {
      const course = watch(
        runs.bulkCancelByFiltersWithPagination({
          additionalMetadata: tag,
          statuses: ['COMPLETED'],
          chunkSize: 2,
          sleepTime: 60_000,
        }),
      );
      await eventually(() => course.values.length === 2);
    },
  },
  {
    name: 'in the middle of a chunk',
    options: stall('cancel'),
    act: async ({ runs, watch, sent }) => {
      watch(
        runs.bulkCancelByFiltersWithPagination({
          additionalMetadata: tag,
          statuses: ['COMPLETED'],
          chunkSize: 2,
          sleepTime: 1,
        }),
      );
      await sent(2);
    },
  },
  {
    name: 'while a cancel takes effect',
    // The looks say that the run goes on.
    options: { headers: { 'x-status': 'RUNNING' } },
    act: async ({ runs, watch, sent }) => {
      watch(runs.cancel(first));
      await sent(4);
    },
  },
  {
    name: 'in the middle of replays',
    options: stall('replay'),
    act: async ({ runs, watch, sent }) => {
      for (const id of ids) watch(runs.replay(id));
      watch(runs.bulkReplay({ ids: [first, second, third] }));
      await sent(2);
    },
  },
  {
    name: 'in the middle of a sweep',
    options: stall('listRuns'),
    act: async ({ runs, watch, sent }) => {
      watch(runs.listWithPagination({ additionalMetadata: tag, pageSize: 2 }));
      watch(runs.listPages({ additionalMetadata: tag, pageSize: 2 }));
      await sent(2);
    },
  },
  {
    name: 'in a sweep whose reader has paused',
    act: async ({ runs }) => {
      const pages = eachValue(runs.listPages({ additionalMetadata: tag, pageSize: 1 }))[Symbol.asyncIterator]();
      await pages.next();
      await pages.next();
    },
  },
  {
    name: 'in a sweep whose reader has left',
    act: async ({ runs }) => {
      for await (const run of eachValue(runs.listWithPagination({ additionalMetadata: tag, pageSize: 1 }))) {
        if (run.metadata.id !== '') break;
      }
    },
  },
  {
    name: 'in the pause before a retry',
    options: { ...fail('listRuns'), retry: { baseDelayMs: 60_000, maxDelayMs: 60_000 }, timeoutMs: 600_000 },
    act: async ({ runs, watch, sent }) => {
      for (let n = 0; n < 10; n += 1) watch(runs.list());
      await sent(10);
      await pause(50);
    },
  },
  {
    name: 'in 300 requests without an answer',
    options: stall('getRunStatus'),
    act: async ({ runs, watch, sent }) => {
      for (let n = 0; n < 300; n += 1) watch(runs.getStatus(first));
      await sent(128);
      await pause(50);
    },
  },
  {
    name: 'in a trigger and the look-up of its name',
    options: { headers: { 'x-stall': 'trigger,listWorkflows' } },
    act: async ({ runs, watch, sent }) => {
      watch(runs.trigger('contract-quick', {}));
      watch(runs.create('contract-quick', {}));
      await sent(3);
    },
  },
  {
    name: 'while a run is not readable',
    options: { headers: { 'x-missing': 'getRun' } },
    act: async ({ runs, watch, sent }) => {
      watch(runs.create('contract-quick', {}));
      await sent(5);
    },
  },
  {
    name: 'in a result that settles',
    act: async ({ runs, watch, sent }) => {
      watch((await one(runs.trigger('contract-nonretryable', {}))).result$);
      await sent(8);
    },
  },
  {
    name: 'while the token is asked for',
    options: { token: () => new Promise<string>(() => {}) },
    act: async ({ runs, watch }) => {
      watch(runs.list());
      watch(runs.getRunRef(first).result$);
      await pause(20);
    },
  },
  {
    name: 'while the headers are asked for',
    options: { headers: () => new Promise<Record<string, string>>(() => {}) },
    act: async ({ runs, watch }) => {
      watch(runs.list());
      await pause(20);
    },
  },
  {
    name: 'when the server is not there',
    options: { serverUrl: 'http://127.0.0.1:9', retry: { baseDelayMs: 60_000 } },
    act: async ({ runs, watch, sent }) => {
      watch(runs.list());
      watch(runs.getRunRef(first).result$);
      await sent(2);
    },
  },
  {
    name: 'closed twice, and used afterwards',
    act: async ({ hatchet, runs }) => {
      await Promise.all([hatchet.close(), hatchet.close()]);
      await hatchet[Symbol.asyncDispose]();
      for (const late of [
        () => runs.list(),
        () => runs.getRunRef(first).result$,
        () => runs.trigger('contract-quick', {}),
      ]) {
        const course = watch<unknown>(late());
        await course.end;
        if (!isHatchetError(course.error) || course.error._tag !== 'ConfigError') throw new Error('no ConfigError');
      }
    },
  },
];

/** What keeps the process alive, by kind. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => a.localeCompare(b)));
}

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

const rejections: string[] = [];
process.on('unhandledRejection', (reason) => rejections.push(String(reason)));
process.on('uncaughtException', (error) => rejections.push(String(error)));
process.on('warning', (warning) => rejections.push(String(warning)));

function clientOf(options: HatchetOptions, onRequest: () => void): Hatchet {
  return createHatchet({
    token: given.token,
    serverUrl: given.url,
    pollIntervalMs: 20,
    onDiagnostic: ({ type }) => {
      if (type === 'request') onRequest();
    },
    ...options,
  });
}

async function play({ name, options = {}, act }: Scenario): Promise<void> {
  const before = resources();
  let requests = 0;
  const hatchet = clientOf(options, () => {
    requests += 1;
  });
  const courses: Course<unknown>[] = [];
  await act({
    hatchet,
    runs: hatchet.runs,
    watch: (source) => {
      const course = watch(source);
      courses.push(course);
      return course;
    },
    sent: (count) => eventually(() => requests >= count),
  });
  const open = courses.filter(({ ended }) => ended === 'no');
  await hatchet.close();
  await Promise.all(courses.map(({ end }) => end));
  const ends = [...new Set(open.map(({ error }) => (isHatchetError(error) ? error._tag : String(error))))];
  const atClose = requests;
  // The last callbacks of sockets that were closed come a few turns later.
  for (let turn = 0; turn < 100 && JSON.stringify(resources()) !== JSON.stringify(before); turn += 1) await pause(10);
  say({
    name,
    before,
    after: resources(),
    watched: courses.length,
    ends,
    late: requests - atClose,
    rejections: [...rejections],
  });
}

/** More than 5,000 requests, and what they leave in memory. */
async function leaks(): Promise<void> {
  const gc = (globalThis as { readonly gc?: () => void }).gc ?? (() => {});
  const before = resources();
  const hatchet = clientOf({}, () => {});
  const { runs } = hatchet;
  const some = (count: number) =>
    all(
      range(0, count).pipe(
        mergeMap(
          (index) =>
            [runs.getStatus(first), runs.getRunRef(second).result$, runs.list({ limit: 1 })][index % 3] ?? runs.list(),
          32,
        ),
      ),
    );
  // Aborted ones, too.
  const rough = async () => {
    for (let n = 0; n < 50; n += 1) watch(runs.getStatus(first)).stop();
    await pause(20);
  };
  const heap = async () => {
    await pause(50);
    gc();
    gc();
    return process.memoryUsage().heapUsed;
  };
  await some(1_000);
  await rough();
  const heapBefore = await heap();
  await some(4_000);
  await rough();
  const heapAfter = await heap();
  const { Timeout: timers = 0 } = resources();
  await hatchet.close();
  await pause(50);
  say({
    name: 'leaks',
    before,
    after: resources(),
    timers,
    grownBytes: heapAfter - heapBefore,
    rejections: [...rejections],
  });
}

for (const scenario of SCENARIOS) await play(scenario);
await leaks();
say({ name: 'end', scenarios: SCENARIOS.length });
// No process.exit: that the process ends by itself is what is to be shown.
