// From a trigger to the run's ref, against the same POST by hand.
import { createHatchet } from 'hatchet-rx';
import { firstValueFrom } from 'rxjs';
import { Pool } from 'undici';
import { compare, rowOf } from '../lib/contest.ts';
import { inFlight } from '../lib/in-flight.ts';
import { type Bench, check, type Row } from '../lib/row.ts';
import { startServer } from '../lib/server-process.ts';

const GOAL = 1.2;
const TOKEN = 'benchmark-token';
const TENANT = '707d0855-80ab-4e1f-a156-f1c4546cbf52';
const UUID_LENGTH = 36;
const input = { customer: 'customer-7', items: [{ sku: 'a-1', count: 2 }], note: 'a benchmark' };
const metadata = { suite: 'bench' };

const trigger: Bench = async () => {
  await using server = await startServer<{ url: string }, { requests: number }>('fixed.ts');
  const { url } = server.ready;
  await using hatchet = createHatchet({ token: TOKEN, serverUrl: url, tenantId: TENANT });
  const { runs } = hatchet;
  const pool = new Pool(url, { connections: 128, pipelining: 1 });
  const path = `/api/v1/stable/tenants/${TENANT}/workflow-runs/trigger`;
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };

  const ours = async () => {
    const { id } = await firstValueFrom(runs.trigger('quick', input, { additionalMetadata: metadata }));
    check(id.length === UUID_LENGTH, 'the ref has no id');
  };
  const peer = async () => {
    const { statusCode, body } = await pool.request({
      path,
      method: 'POST',
      headers,
      body: JSON.stringify({ workflowName: 'quick', input, additionalMetadata: metadata, return_only_id: true }),
    });
    check(statusCode === 200, `the server answered ${statusCode}`);
    const answer = (await body.json()) as { run: { metadata: { id: string } } };
    check(answer.run.metadata.id.length === UUID_LENGTH, 'the answer has no id');
  };

  // Beside the first trigger of a workflow its name is looked up, once.
  await ours();
  const rows: Row[] = [];
  for (const [width, operations] of [
    [1, 120],
    [16, 480],
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
    check(requests === expected, `${requests} requests instead of ${expected}`);
    rows.push(
      rowOf(outcome, {
        row: `trigger → ref, \`runs.trigger\`, ${width} in flight`,
        peer: '`undici.request` (POST) + `body.json()`',
        goal: GOAL,
        operations,
        cpu: true,
      }),
    );
  }
  await pool.close();
  return rows;
};

export default trigger;
