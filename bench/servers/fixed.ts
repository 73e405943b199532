// A server that answers with recorded JSON at next to no cost of its own, and counts.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { recorded } from '../lib/recording.ts';
import { seeded, uuidOf } from '../lib/statistics.ts';
import { serve } from '../lib/server-process.ts';

const status = Buffer.from(`${JSON.stringify(recorded('single-completed-status'))}\n`);
const details = Buffer.from(`${JSON.stringify(recorded('single-completed-details'))}\n`);

const stub = recorded('trigger-return-only-id') as { readonly run: { readonly metadata: { readonly id: string } } };
const [beforeId = '', afterId = ''] = `${JSON.stringify(stub)}\n`.split(stub.run.metadata.id);
const random = seeded(1);
const ids = Array.from({ length: 1_000 }, () => uuidOf(random));

let requests = 0;

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  requests += 1;
  const url = request.url ?? '';
  // As the real server does: JSON in chunks, without a length.
  response.writeHead(200, { 'content-type': 'application/json' });
  if (request.method === 'POST') {
    request.resume();
    request.once('end', () => response.end(`${beforeId}${ids[requests % ids.length]}${afterId}`));
  } else if (url.endsWith('/status')) response.end(status);
  else if (url.includes('/stable/workflow-runs/')) response.end(details);
  else if (url.includes('/workflows?')) {
    response.end(JSON.stringify({ rows: [{ name: 'quick', metadata: { id: ids[0] } }] }));
  } else request.socket.destroy();
});

server.listen(0, '127.0.0.1', () => {
  serve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, () => {
    const counted = requests;
    requests = 0;
    return { requests: counted };
  });
});
