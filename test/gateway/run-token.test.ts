import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRunToken, type RunTokenOptions, runTokens, WATCHING } from '../../src/gateway/index.ts';
import { all, errorWithTag, one } from '../support/observe.ts';
import { chunksOf, talk } from './support/events.ts';
import { json, stand, TENANT } from './support/stand.ts';

const secret = 'a secret of at least thirty-two bytes';
const MINUTE = 60_000;

const withTokens = (options = {}) => stand({ authorize: runTokens({ secret, ...options }) });

describe('a run token', () => {
  it('for some runs: watching them, and nothing else', async () => {
    await using gate = await withTokens();
    const ref = await one(gate.owner.runs.trigger('talk', { chunks: 5 }));
    await one(ref.result$);
    const other = await one(gate.owner.runs.trigger('quick', {}));
    await one(other.result$);
    const token = await createRunToken({ secret, runIds: [ref.id], expiresInMs: MINUTE });
    const { runs } = gate.client({ token });
    expect(chunksOf(await all(runs.subscribeToStream(ref.id)))).toEqual(talk(5));
    expect(await one(runs.getRunRef(ref.id).result$)).toEqual({ chunks: 5 });
    expect(await one(runs.getTaskLogs(ref.id))).toEqual([]);
    const refused = await errorWithTag('AuthenticationError', runs.getStatus(other.id));
    expect(refused.message).toContain('the run token is for other runs');
    for (const operation of [
      runs.subscribeToStream(other.id),
      runs.list(),
      runs.listIds(),
      runs.cancel(ref.id),
      runs.trigger('quick', {}),
    ]) {
      await errorWithTag('AuthenticationError', operation);
    }
    const both = await gate.ask(`${TENANT}/workflow-runs/events?id=${ref.id}&id=${other.id}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(both.status).toBe(403);
  });

  it('for a DAG: its steps, too', async () => {
    await using gate = await withTokens();
    const ref = await one(gate.owner.runs.trigger('steps', {}));
    await one(ref.result$);
    const { tasks } = await one(ref.details$);
    const { runs } = gate.client({ token: await createRunToken({ secret, runIds: [ref.id], expiresInMs: MINUTE }) });
    expect(await one(runs.getTaskRun(tasks[0]?.taskExternalId ?? ''))).toMatchObject({ workflowRunExternalId: ref.id });
  });

  it('for metadata: a scope', async () => {
    await using gate = await withTokens();
    const of = (user: string) => one(gate.owner.runs.trigger('quick', {}, { additionalMetadata: { user } }));
    const [mine, theirs] = await Promise.all([of('ada'), of('bob')]);
    await Promise.all([one(mine.result$), one(theirs.result$)]);
    const token = await createRunToken({ secret, metadata: { user: 'ada' }, expiresInMs: MINUTE });
    const { runs } = gate.client({ token });
    expect((await all(runs.listWithPagination())).map(({ metadata }) => metadata.id)).toEqual([mine.id]);
    expect(await all(runs.listIds())).toEqual([mine.id]);
    await errorWithTag('RunNotFoundError', runs.getStatus(theirs.id));
    await errorWithTag('AuthenticationError', runs.trigger('quick', {}));
  });

  it('for some operations', async () => {
    await using gate = await withTokens();
    const token = await createRunToken({
      secret,
      metadata: { user: 'ada' },
      operations: ['trigger', 'subscribeToStream', 'cancel', 'getStatus'],
      expiresInMs: MINUTE,
    });
    const { runs } = gate.client({ token });
    const events = await all(runs.triggerAndStream('talk', { chunks: 3 }));
    expect(chunksOf(events)).toEqual(talk(3));
    const ref = await one(runs.trigger('wait', {}));
    expect(await one(ref.cancel())).toEqual([ref.id]);
    const refused = await errorWithTag('AuthenticationError', runs.list());
    expect(refused.message).toContain('the run token does not allow list');
  });

  it('in the query, where that was asked for', async () => {
    await using open = await withTokens({ queryParameter: 'token' });
    const { id } = await one(open.owner.runs.trigger('quick', {}));
    const token = await createRunToken({ secret, runIds: [id], expiresInMs: MINUTE });
    const path = `${TENANT}/workflow-runs/${id}/events?token=${token}`;
    const response = await open.ask(path);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('event: end');
    await using closed = await withTokens();
    expect((await closed.ask(path)).status).toBe(403);
  });
});

describe('what is no run token', () => {
  const ask = async (token: string | undefined) => {
    await using gate = await withTokens();
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await gate.ask(`${TENANT}/workflow-runs?since=2026-01-01&only_tasks=false`, { headers });
    return [response.status, await response.json()];
  };
  const key = new TextEncoder().encode(secret);
  const claims = { ops: ['list'], meta: { user: 'ada' } };
  const signed = (change: (token: SignJWT) => SignJWT = (token) => token, with_ = key, alg = 'HS256') =>
    change(
      new SignJWT(claims)
        .setProtectedHeader({ alg })
        .setAudience('hatchet-rx/gateway')
        .setIssuedAt()
        .setExpirationTime('1m'),
    ).sign(with_);
  const invalid = [403, { message: 'the run token is not valid' }];

  it('none at all', async () => {
    expect(await ask(undefined)).toEqual([403, { message: 'a run token is required' }]);
  });

  it('garbage, another secret, another audience, another algorithm', async () => {
    expect((await ask(await signed()))[0]).toBe(200);
    expect(await ask('garbage')).toEqual(invalid);
    expect(await ask(await signed(undefined, new TextEncoder().encode('x'.repeat(40))))).toEqual(invalid);
    expect(await ask(await signed((token) => token.setAudience('elsewhere')))).toEqual(invalid);
    expect(await ask(await signed(undefined, key, 'HS512'))).toEqual(invalid);
    const [, payload] = (await signed()).split('.');
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    expect(await ask(unsigned)).toEqual(invalid);
  });

  it('an expired one', async () => {
    const token = await signed((one_) => one_.setExpirationTime(new Date(Date.now() - 1_000)));
    expect(await ask(token)).toEqual([403, { message: 'the run token has expired' }]);
  });

  it('changed claims', async () => {
    const [head, , signature] = (await signed()).split('.');
    const payload = Buffer.from(JSON.stringify({ ...claims, meta: { user: 'bob' } })).toString('base64url');
    expect(await ask(`${head}.${payload}.${signature}`)).toEqual(invalid);
  });
});

describe('createRunToken', () => {
  const id = '7f3c1f0e-2b60-4b53-a1d5-5e0bb8a2f1d7';

  it.each<[string, Partial<RunTokenOptions>, RegExp]>([
    ['a short secret', { secret: 'short' }, /secret must have 32 bytes/],
    ['no secret', { secret: undefined as never }, /secret must have 32 bytes/],
    ['neither runs nor metadata', { runIds: undefined }, /either for runIds or for metadata/],
    ['both', { metadata: { a: '1' } }, /either for runIds or for metadata/],
    ['no run', { runIds: [] }, /runIds must be 1 to 100 ids/],
    ['what is no id', { runIds: ['nonsense'] }, /runIds must be 1 to 100 ids/],
    ['too many runs', { runIds: Array.from({ length: 101 }, () => id) }, /for more, use metadata/],
    ['no pair', { runIds: undefined, metadata: {} }, /metadata must be pairs of texts/],
    ['a colon', { runIds: undefined, metadata: { 'a:b': '1' } }, /metadata must be pairs of texts/],
    ['no end', { expiresInMs: undefined as never }, /expiresInMs must be/],
    ['a life without end', { expiresInMs: 25 * 60 * MINUTE }, /24 hours at most/],
    ['a life that is over', { expiresInMs: -1 }, /expiresInMs must be a positive number/],
  ])('refuses %s', async (_, options, message) => {
    await expect(createRunToken({ secret, runIds: [id], expiresInMs: MINUTE, ...options })).rejects.toThrow(message);
  });

  it('runTokens refuses a short secret at once', () => {
    expect(() => runTokens({ secret: 'short' })).toThrow(/secret must have 32 bytes/);
  });

  it('says nothing of the secret, and names no tenant', async () => {
    const token = await createRunToken({ secret, runIds: [id], expiresInMs: MINUTE });
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
      string,
      unknown
    >;
    expect(Object.keys(claims).toSorted()).toEqual(['aud', 'exp', 'iat', 'ops', 'runs']);
    expect(claims).toMatchObject({ ops: WATCHING, runs: [id] });
  });

  describe('as time goes by', () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['Date'] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it('expires', async () => {
      const authorize = runTokens({ secret });
      const token = await createRunToken({ secret, runIds: [id], expiresInMs: MINUTE });
      const request = new Request('http://gateway/', { headers: { authorization: `Bearer ${token}` } });
      const access = { operation: 'getStatus', runIds: [id] } as const;
      expect(await authorize(request, access)).toBe(true);
      vi.setSystemTime(Date.now() + MINUTE - 1_001);
      expect(await authorize(request, access)).toBe(true);
      vi.setSystemTime(Date.now() + 2_002);
      expect(await authorize(request, access)).toEqual({ denied: 'the run token has expired' });
    });
  });
});

describe("the gateway's own token", () => {
  it('never leaves it: not in answers, not in errors', async () => {
    await using gate = await stand();
    const { token } = gate.engine;
    const { id } = await one(gate.owner.runs.trigger('quick', {}));
    await one(gate.owner.runs.getRunRef(id).result$);
    const told: string[] = [];
    const tell = async (response: Response) => {
      told.push(JSON.stringify([...response.headers]), await response.text());
    };
    await tell(await gate.ask(`/api/v1/stable/workflow-runs/${id}`));
    await tell(await gate.ask(`${TENANT}/workflow-runs/${id}/events`));
    await tell(await gate.ask(`${TENANT}/workflow-runs/trigger`, json({ workflowName: 'quick', input: {} })));
    gate.engine.faults.add({
      kind: 'status',
      status: 500,
      body: `proxy error: authorization: Bearer ${token}`,
      times: 1,
    });
    await tell(await gate.ask(`/api/v1/stable/workflow-runs/${id}`));
    gate.engine.faults.add({ kind: 'status', status: 400, body: { message: `bad token ${token}` }, times: 1 });
    await tell(await gate.ask(`/api/v1/stable/workflow-runs/${id}`));
    gate.engine.rotateToken();
    const refused = await gate.ask(`/api/v1/stable/workflow-runs/${id}`);
    expect(refused.status).toBe(502);
    await tell(refused);
    expect(told.join('\n')).not.toContain(token);
    expect(told.join('\n')).not.toContain('127.0.0.1');
  });
});
