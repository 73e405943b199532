// One look at a run, against the same request by hand.
import { createHatchet } from 'hatchet-rx';
import { firstValueFrom } from 'rxjs';
import { Pool } from 'undici';
import { compare, rowOf } from '../lib/contest.ts';
import { inFlight } from '../lib/in-flight.ts';
import { recorded } from '../lib/recording.ts';
import { type Bench, check, type Row } from '../lib/row.ts';
import { startServer } from '../lib/server-process.ts';

const GOAL = 1.1;
const TOKEN = 'benchmark-token';
const { run } = recorded('single-completed-details') as {
  readonly run: { readonly tenantId: string; readonly metadata: { readonly id: string } };
};
const runId = run.metadata.id;
const path = `/api/v1/stable/workflow-runs/${runId}`;

const lookUp: Bench = async () => {
  await using server = await startServer<{ url: string }, { requests: number }>('fixed.ts');
  const { url } = server.ready;
  await using hatchet = createHatchet({ token: TOKEN, serverUrl: url, tenantId: run.tenantId });
  const { runs } = hatchet;
  // As many sockets as the library opens at most.
  const pool = new Pool(url, { connections: 128, pipelining: 1 });
  const headers = { authorization: `Bearer ${TOKEN}` };
  const bare = async (path: string): Promise<unknown> => {
    const { statusCode, body } = await pool.request({ path, method: 'GET', headers });
    check(statusCode === 200, `the server answered ${statusCode}`);
    return body.json();
  };

  const looks = [
    {
      name: 'runs.getStatus',
      ours: async () => check((await firstValueFrom(runs.getStatus(runId))) === 'COMPLETED', 'the status is wrong'),
      peer: async () => check((await bare(`${path}/status`)) === 'COMPLETED', 'the status is wrong'),
    },
    {
      name: 'runs.get',
      ours: async () =>
        check((await firstValueFrom(runs.get(runId))).run.metadata.id === runId, 'the details are of another run'),
      peer: async () => {
        const details = (await bare(path)) as { run: { metadata: { id: string } } };
        check(details.run.metadata.id === runId, 'the details are of another run');
      },
    },
  ];

  const rows: Row[] = [];
  for (const { name, ours, peer } of looks) {
    for (const [width, operations] of [
      [1, 120],
      [64, 640],
    ] as const) {
      // Many short ones: what else the machine does comes in bursts.
      const rounds = 61;
      const warmUps = 20;
      await server.ask();
      const outcome = await compare({
        ours: () => inFlight(operations, width, ours),
        peer: () => inFlight(operations, width, peer),
        rounds,
        warmUps,
      });
      const { requests } = await server.ask();
      const expected = 2 * (rounds + warmUps) * operations;
      check(requests === expected, `${name}: ${requests} requests instead of ${expected}`);
      rows.push(
        rowOf(outcome, {
          row: `look-up, \`${name}\`, ${width} in flight`,
          peer: '`undici.request` + `body.json()`',
          goal: GOAL,
          operations,
          cpu: true,
        }),
      );
    }
  }
  await pool.close();
  return rows;
};

export default lookUp;
