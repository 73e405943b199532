// A thousand runs awaited at once: what that asks of the server.
import { createHatchet, defineWorkflow } from 'hatchet-rx';
import { from, lastValueFrom, mergeMap, toArray } from 'rxjs';
import { duration } from '../lib/contest.ts';
import { type Bench, check } from '../lib/row.ts';
import { startServer } from '../lib/server-process.ts';
import { median, quantile, seeded } from '../lib/statistics.ts';
import type { EngineReady, EngineSeen } from '../servers/engine.ts';

const RUNS = 1_000;
const SHORTEST_MS = 1_000;
const LONGEST_MS = 10_000;
const POLL_MS = 1_000;

const sleeper = defineWorkflow<{ ms: number }>({ name: 'sleep' });

const waiters: Bench = async () => {
  await using server = await startServer<EngineReady, EngineSeen>('engine.ts');
  const { url, token, tenantId } = server.ready;
  await using hatchet = createHatchet({ token, serverUrl: url, tenantId });
  const { runs } = hatchet;
  const random = seeded(5);
  const lengths = Array.from({ length: RUNS }, () => Math.round(SHORTEST_MS + random() * (LONGEST_MS - SHORTEST_MS)));

  const refs = await lastValueFrom(
    from(lengths).pipe(
      mergeMap((ms) => runs.trigger(sleeper, { ms }), 32),
      toArray(),
    ),
  );
  await server.ask();

  const startedAt = performance.now();
  const settled = await lastValueFrom(
    from(refs).pipe(
      mergeMap(async (ref) => {
        const { slept } = await lastValueFrom(ref.result$);
        return { id: ref.id, slept: Number(slept), awaitedMs: performance.now() - startedAt, endedSeenAt: Date.now() };
      }),
      toArray(),
    ),
  );
  const { requests } = await server.ask();

  check(settled.length === RUNS, `${settled.length} runs settled instead of ${RUNS}`);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  check(sum(settled.map(({ slept }) => slept)) === sum(lengths), 'an output is not that of its run');

  const details = await lastValueFrom(
    from(settled).pipe(
      mergeMap(async ({ id, endedSeenAt }) => {
        const { run } = await lastValueFrom(runs.get(id));
        return endedSeenAt - (run.finishedAt?.getTime() ?? Number.NaN);
      }, 32),
      toArray(),
    ),
  );

  const sent = sum(Object.values(requests));
  // Each run looked at once a second for as long as it was awaited here.
  const polling = sum(settled.map(({ awaitedMs }) => Math.ceil(awaitedMs / POLL_MS)));
  const kinds = Object.entries(requests)
    .map(([operation, count]) => `${operation} ${count}`)
    .join(', ');
  return [
    {
      row: `${RUNS.toLocaleString('en')} runs of ${SHORTEST_MS / 1_000} to ${LONGEST_MS / 1_000} s awaited with \`result$\`, requests`,
      peer: 'a look per run and second',
      figure: `**${((sent / polling) * 100).toFixed(0)} %** (${sent} / ${polling}: ${kinds})`,
      samples: { awaitedMs: settled.map(({ awaitedMs }) => awaitedMs) },
    },
    {
      row: `${RUNS.toLocaleString('en')} runs awaited, from a run's end to its result`,
      peer: '—',
      figure: `p50 ${duration(median(details))}, p95 ${duration(quantile(details, 0.95))}`,
      samples: { lateMs: details },
    },
  ];
};

export default waiters;
