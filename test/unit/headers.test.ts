import { lastValueFrom, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createHatchet, type HttpRequest } from 'hatchet-rx';

const RUN = '3f0c1b52-0000-4000-8000-000000000001';

function connect(headers: () => Record<string, string>) {
  const requests: HttpRequest[] = [];
  const hatchet = createHatchet({
    serverUrl: 'http://server.test',
    headers,
    transport: {
      request: (request) => {
        requests.push(request);
        return of({ status: 200, headers: {}, body: '"RUNNING"' });
      },
      close: () => Promise.resolve(),
    },
  });
  return { hatchet, requests };
}

describe('the option headers as a function', () => {
  it('is asked for each request', async () => {
    let count = 0;
    const { hatchet, requests } = connect(() => ({ 'X-Count': String((count += 1)) }));
    await lastValueFrom(hatchet.runs.getStatus(RUN));
    await lastValueFrom(hatchet.runs.getStatus(RUN));
    expect(requests.map(({ headers }) => headers['x-count'])).toEqual(['1', '2']);
  });

  it('ends the operation with an AuthenticationError when it fails, and nothing is sent', async () => {
    const { hatchet, requests } = connect(() => {
      throw new Error('no session');
    });
    await expect(lastValueFrom(hatchet.runs.getStatus(RUN))).rejects.toMatchObject({
      _tag: 'AuthenticationError',
      cause: new Error('no session'),
    });
    expect(requests).toEqual([]);
  });
});
