// All runs of a window, against a loop over offsets by hand: time, and what is held in memory.
import { setTimeout as sleep } from 'node:timers/promises';
import { createHatchet, type Diagnostic, eachValue } from 'hatchet-rx';
import { lastValueFrom, tap } from 'rxjs';
import { Pool } from 'undici';
import { compare, rowOf, times } from '../lib/contest.ts';
import { type Bench, check, type Row } from '../lib/row.ts';
import { startServer } from '../lib/server-process.ts';
import type { EngineReady, EngineSeen } from '../servers/engine.ts';

const GOAL = 1.25;
const RUNS = 20_000;
const FEW = 2_000;
const STEP_MS = 10;
const HEAP_GOAL = 1.1;
const HELD_GOAL = 2;

const sweep: Bench = async () => {
  const since = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 3_600_000);
  const until = new Date(since.getTime() + RUNS * STEP_MS);
  await using server = await startServer<EngineReady, EngineSeen>('engine.ts', {
    runs: RUNS,
    since: since.toISOString(),
    stepMicros: STEP_MS * 1_000,
  });
  const { url, token, tenantId } = server.ready;
  let listener: ((diagnostic: Diagnostic) => void) | undefined;
  await using hatchet = createHatchet({ token, serverUrl: url, tenantId });
  await using watched = createHatchet({ token, serverUrl: url, tenantId, onDiagnostic: (told) => listener?.(told) });
  const pool = new Pool(url, { connections: 1, pipelining: 1 });

  const ours = async (pageSize: number): Promise<void> => {
    const seen = new Set<string>();
    await lastValueFrom(
      hatchet.runs.listWithPagination({ since, until, pageSize }).pipe(tap(({ metadata }) => seen.add(metadata.id))),
    );
    check(seen.size === RUNS, `the sweep gave ${seen.size} runs instead of ${RUNS}`);
  };

  const peer = async (pageSize: number): Promise<void> => {
    const seen = new Set<string>();
    const query = `since=${since.toISOString()}&until=${until.toISOString()}&only_tasks=false&include_payloads=true`;
    const base = `/api/v1/stable/tenants/${tenantId}/workflow-runs?${query}&limit=${pageSize}`;
    for (let offset = 0; ; offset += pageSize) {
      const { statusCode, body } = await pool.request({
        path: `${base}&offset=${offset}`,
        method: 'GET',
        headers: { authorization: `Bearer ${token}` },
      });
      check(statusCode === 200, `the server answered ${statusCode}`);
      const { rows } = (await body.json()) as { rows: { metadata: { id: string } }[] };
      for (const { metadata } of rows) seen.add(metadata.id);
      // An empty page is the end.
      if (rows.length === 0) break;
    }
    check(seen.size === RUNS, `the loop gave ${seen.size} runs instead of ${RUNS}`);
  };

  /** The largest heap, garbage collected, while the newest `count` runs are swept. */
  const heapWhileSweeping = async (count: number, pageSize: number): Promise<number> => {
    let highest = 0;
    let swept = 0;
    const window = { since: new Date(until.getTime() - count * STEP_MS), until, pageSize };
    await lastValueFrom(
      hatchet.runs.listWithPagination(window).pipe(
        tap(() => {
          swept += 1;
          if (swept % pageSize !== pageSize / 2) return;
          globalThis.gc?.();
          highest = Math.max(highest, process.memoryUsage().heapUsed);
        }),
      ),
    );
    check(swept === count, `the sweep gave ${swept} runs instead of ${count}`);
    return highest;
  };

  /** The most pages that wait for a consumer which takes its time. */
  const pagesHeld = async (count: number, pageSize: number): Promise<number> => {
    let pages = 0;
    let taken = 0;
    let most = 0;
    listener = ({ type }) => {
      if (type === 'response') pages += 1;
      most = Math.max(most, pages - Math.floor(taken / pageSize));
    };
    const window = { since: new Date(until.getTime() - count * STEP_MS), until, pageSize };
    for await (const run of eachValue(watched.runs.listWithPagination(window))) {
      check(run.metadata.id !== '', 'a run without an id');
      taken += 1;
      if (taken % (pageSize / 2) === 0) await sleep(20);
    }
    check(taken === count, `the sweep gave ${taken} runs instead of ${count}`);
    return most;
  };

  const rows: Row[] = [];
  for (const pageSize of [500, 200]) {
    const outcome = await compare({ ours: () => ours(pageSize), peer: () => peer(pageSize), rounds: 9, warmUps: 2 });
    rows.push(
      rowOf(outcome, {
        row: `sweep of ${RUNS.toLocaleString('en')} runs, \`listWithPagination\`, pages of ${pageSize}`,
        peer: 'sequential loop of `undici.request` by offset',
        goal: GOAL,
        operations: 1,
        cpu: true,
      }),
    );
  }

  const few = await heapWhileSweeping(FEW, 500);
  const many = await heapWhileSweeping(RUNS, 500);
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  rows.push({
    row: `sweep, heap in use (after collection) at its highest, ${RUNS.toLocaleString('en')} runs`,
    peer: `the same over ${FEW.toLocaleString('en')} runs`,
    goal: `≤ ${times(HEAP_GOAL)}`,
    figure: `**${times(many / few)}** (${megabytes(many)} / ${megabytes(few)} MB)`,
    met: many / few <= HEAP_GOAL,
  });
  const held = await pagesHeld(FEW, 200);
  rows.push({
    row: 'sweep, pages held for a slow consumer of `eachValue`',
    peer: '—',
    goal: `≤ ${HELD_GOAL}`,
    figure: `**${held}**`,
    met: held <= HELD_GOAL,
  });
  await pool.close();
  return rows;
};

export default sweep;
