import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Environment, type HatchetOptions, resolveConfig, withNamespace } from '../../src/config.ts';
import type { Access } from '../../src/http/credentials.ts';
import { everythingIn, thrownBy } from './support/caught.ts';
import { scripted } from './support/fake-transport.ts';
import { jwt, TENANT } from './support/jwt.ts';

const OTHER = '11111111-1111-4111-8111-111111111111';
const token = jwt();
const transport = scripted({});

const resolve = (options: HatchetOptions, environment: Environment = {}) =>
  resolveConfig(options, environment, () => transport);

function accessOf(options: HatchetOptions, environment: Environment = {}): Access {
  const access = resolve(options, environment).credentials.current();
  if (access === undefined) throw new Error('the access is not known yet');
  return access;
}

describe('where settings come from', () => {
  it('a token alone names tenant and server', () => {
    expect(accessOf({ token })).toEqual({
      token,
      tenantId: TENANT,
      origin: 'https://claimed.example.com',
      basePath: '',
    });
  });

  it('the token may be in the environment; the option wins', () => {
    expect(accessOf({}, { HATCHET_CLIENT_TOKEN: token }).token).toBe(token);
    expect(accessOf({ token }, { HATCHET_CLIENT_TOKEN: jwt({ sub: OTHER }) }).token).toBe(token);
  });

  it('server: option, then API_URL, then SERVER_URL, then the claim', () => {
    const environment = {
      HATCHET_CLIENT_API_URL: 'http://api:1',
      HATCHET_CLIENT_SERVER_URL: 'http://server:2',
    };
    expect(accessOf({ token, serverUrl: 'http://option:3' }, environment).origin).toBe('http://option:3');
    expect(accessOf({ token }, environment).origin).toBe('http://api:1');
    expect(accessOf({ token }, { ...environment, HATCHET_CLIENT_API_URL: '' }).origin).toBe('http://server:2');
    expect(accessOf({ token }).origin).toBe('https://claimed.example.com');
  });

  it('tenant: option, then variable, then the claim, then "default"', () => {
    const environment = { HATCHET_CLIENT_TENANT_ID: OTHER };
    expect(accessOf({ token, tenantId: TENANT }, environment).tenantId).toBe(TENANT);
    expect(accessOf({ token }, environment).tenantId).toBe(OTHER);
    expect(accessOf({ token }).tenantId).toBe(TENANT);
    expect(accessOf({ token: jwt({ sub: 'a user, not a tenant' }) }).tenantId).toBe('default');
  });

  it('empty and blank variables count as not set; blanks around a value are cut', () => {
    const environment = {
      HATCHET_CLIENT_TOKEN: ` ${token}\n`,
      HATCHET_CLIENT_API_URL: ' ',
      HATCHET_CLIENT_TENANT_ID: '',
    };
    expect(accessOf({}, environment)).toMatchObject({ token, tenantId: TENANT, origin: 'https://claimed.example.com' });
  });

  it('a token that is no JWT does with a server given', () => {
    expect(accessOf({ token: 'opaque-run-token', serverUrl: 'http://gateway/hatchet/' })).toEqual({
      token: 'opaque-run-token',
      tenantId: 'default',
      origin: 'http://gateway',
      basePath: '/hatchet',
    });
  });

  it('headers may stand in for a token', () => {
    const headers = { cookie: 'session=1' };
    expect(accessOf({ serverUrl: 'http://gateway', headers })).toMatchObject({ token: undefined, tenantId: 'default' });
  });

  it('claims in UTF-8 and base64url are read', () => {
    const claimed = jwt({ server_url: 'https://hätchet.example.com/ÿÿ>>?q' });
    expect(() => accessOf({ token: claimed })).toThrow('claim "server_url"');
    expect(accessOf({ token: jwt({ server_url: 'https://hätchet.example.com/ÿÿ>>' }) })).toMatchObject({
      origin: 'https://xn--htchet-bua.example.com',
    });
  });

  it('a path as server is for browsers, or for a transport of one’s own', () => {
    expect(accessOf({ serverUrl: '/hatchet/', transport })).toEqual({
      token: undefined,
      tenantId: 'default',
      origin: '',
      basePath: '/hatchet',
    });
    expect(thrownBy(() => resolve({ serverUrl: '/hatchet' })).message).toMatch(/serverUrl is the path "\/hatchet"/);
  });

  it('defaults', () => {
    expect(resolve({ token })).toMatchObject({
      timeoutMs: 30_000,
      retry: { maxAttempts: 4, baseDelayMs: 100, maxDelayMs: 5_000 },
      pollIntervalMs: 1_000,
      waitTimeoutMs: undefined,
      namespace: '',
      diagnose: undefined,
      transport,
    });
  });
});

describe('namespace', () => {
  it.for([
    ['team', 'team_'],
    ['team_', 'team_'],
    ['Team', 'team_'],
    ['TEAM_A', 'team_a_'],
  ])('%s becomes %s', ([namespace, expected]) => {
    expect(resolve({ token, namespace }).namespace).toBe(expected);
    expect(resolve({ token }, { HATCHET_CLIENT_NAMESPACE: namespace }).namespace).toBe(expected);
  });

  it('the option wins over the variable, an empty one means none', () => {
    const environment = { HATCHET_CLIENT_NAMESPACE: 'env' };
    expect(resolve({ token, namespace: 'option' }, environment).namespace).toBe('option_');
    expect(resolve({ token, namespace: '' }, environment).namespace).toBe('');
  });

  it('is put before names that do not have it', () => {
    expect(withNamespace('team_', 'quick')).toBe('team_quick');
    expect(withNamespace('team_', 'team_quick')).toBe('team_quick');
    expect(withNamespace('', 'quick')).toBe('quick');
  });
});

describe('a token function', () => {
  it('is not asked before the first use', () => {
    let asked = 0;
    const config = resolve({
      token: () => {
        asked += 1;
        return token;
      },
    });
    expect({ asked, current: config.credentials.current(), tenantId: config.tenantId }).toEqual({
      asked: 0,
      current: undefined,
      tenantId: 'default',
    });
  });

  it('wins over the variable, and its token says where to go', async () => {
    const { credentials } = resolve(
      { token: () => Promise.resolve(token) },
      { HATCHET_CLIENT_TOKEN: jwt({ sub: OTHER }) },
    );
    await expect(firstValueFrom(credentials.access())).resolves.toMatchObject({ token, tenantId: TENANT });
    expect(credentials.current()).toMatchObject({ token });
  });

  it('what is wrong without a token is found out at once', () => {
    expect(thrownBy(() => resolve({ token: () => token, serverUrl: 'nonsense' })).message).toContain('serverUrl');
  });

  const bad: readonly (readonly [string, unknown])[] = [
    ['nothing', ''],
    ['no text', 7],
    ['a text with a line break', `${token}\n`],
  ];

  it.for(bad)('that gives %s is a ConfigError, without the token', async ([, given]) => {
    const ask = () => given as string;
    const error: unknown = await firstValueFrom(resolve({ token: ask }).credentials.access()).catch((e: unknown) => e);
    expect(error).toMatchObject({ _tag: 'ConfigError', message: expect.stringContaining('token function') });
    expect(everythingIn(error)).not.toContain(token);
  });

  const failing: readonly (readonly [string, () => Promise<string>])[] = [
    [
      'throws',
      () => {
        throw new Error('vault is down');
      },
    ],
    ['rejects', () => Promise.reject(new Error('vault is down'))],
  ];

  it.for(failing)('that %s is an AuthenticationError with the cause', async ([, ask]) => {
    const error: unknown = await firstValueFrom(resolve({ token: ask }).credentials.access()).catch((e: unknown) => e);
    expect(error).toMatchObject({ _tag: 'AuthenticationError', cause: { message: 'vault is down' } });
  });
});

describe('wrong settings', () => {
  const wrong: readonly (readonly [string, HatchetOptions, Environment, RegExp])[] = [
    ['no token', {}, {}, /HATCHET_CLIENT_TOKEN.*token/],
    ['a token of the wrong type', { token: 7 as unknown as string }, {}, /token must be a string/],
    ['a token with a line break', { token: `${token}\n` }, {}, /^token holds/],
    [
      'a token with a blank inside, from the environment',
      {},
      { HATCHET_CLIENT_TOKEN: `Bearer ${token}` },
      /^HATCHET_CLIENT_TOKEN/,
    ],
    ['no server', { headers: { cookie: 'x' } }, {}, /HATCHET_CLIENT_SERVER_URL.*serverUrl/],
    [
      'a token that is no JWT, without a server',
      { token: 'opaque-token-of-somebody' },
      {},
      /^token is not a Hatchet token/,
    ],
    ['a JWT without a server', { token: jwt({ server_url: undefined }) }, {}, /token has no claim "server_url"/],
    ['a server that is no URL', { token, serverUrl: 'localhost' }, {}, /^serverUrl must be a URL/],
    ['a server that is no URL, from a variable', { token }, { HATCHET_CLIENT_API_URL: 'x' }, /^HATCHET_CLIENT_API_URL/],
    ['another server variable', { token }, { HATCHET_CLIENT_SERVER_URL: 'x' }, /^HATCHET_CLIENT_SERVER_URL/],
    ['a server of another protocol', { token, serverUrl: 'ftp://x' }, {}, /^serverUrl must begin with http/],
    ['a server with a password', { token, serverUrl: 'http://me:secret@x' }, {}, /^serverUrl must be just/],
    ['a server with a query', { token, serverUrl: 'http://x?a=1' }, {}, /^serverUrl must be just/],
    ['a claimed server that is no URL', { token: jwt({ server_url: 'x' }) }, {}, /claim "server_url" of token/],
    ['a tenant that is no UUID', { token, tenantId: 'mine' }, {}, /^tenantId must be/],
    ['a tenant variable that is no UUID', { token }, { HATCHET_CLIENT_TENANT_ID: 'mine' }, /^HATCHET_CLIENT_TENANT_ID/],
    ['a namespace of the wrong type', { token, namespace: 1 as unknown as string }, {}, /^namespace must be/],
    ['timeoutMs 0', { token, timeoutMs: 0 }, {}, /^timeoutMs/],
    ['timeoutMs as text', { token, timeoutMs: '5' as unknown as number }, {}, /^timeoutMs/],
    ['pollIntervalMs below 0', { token, pollIntervalMs: -1 }, {}, /^pollIntervalMs/],
    ['waitTimeoutMs NaN', { token, waitTimeoutMs: Number.NaN }, {}, /^waitTimeoutMs/],
    ['waitTimeoutMs infinite', { token, waitTimeoutMs: Number.POSITIVE_INFINITY }, {}, /^waitTimeoutMs/],
    ['timeoutMs that no timer can wait for', { token, timeoutMs: 2 ** 31 }, {}, /^timeoutMs/],
    [
      'waitTimeoutMs that no timer can wait for',
      { token, waitTimeoutMs: Number.MAX_SAFE_INTEGER },
      {},
      /^waitTimeoutMs/,
    ],
    ['retry.maxAttempts 0', { token, retry: { maxAttempts: 0 } }, {}, /^retry\.maxAttempts/],
    ['retry.maxAttempts 1.5', { token, retry: { maxAttempts: 1.5 } }, {}, /^retry\.maxAttempts/],
    ['retry.baseDelayMs 0', { token, retry: { baseDelayMs: 0 } }, {}, /^retry\.baseDelayMs/],
    ['retry.maxDelayMs NaN', { token, retry: { maxDelayMs: Number.NaN } }, {}, /^retry\.maxDelayMs/],
    ['an unknown option', { token, timeout: 5 } as HatchetOptions, {}, /no option "timeout".*timeoutMs/],
    [
      'an option with the name of an object’s method',
      { token, toString: 'x' } as unknown as HatchetOptions,
      {},
      /"toString"/,
    ],
    ['token and server swapped', { token: 'http://x', serverUrl: token }, {}, /^serverUrl/],
    ['the token as tenant', { token, tenantId: token }, {}, /^tenantId/],
    ['the token as tenant variable', { token }, { HATCHET_CLIENT_TENANT_ID: token }, /^HATCHET_CLIENT_TENANT_ID/],
    ['the token in the server’s user', { token, serverUrl: `ftp://${token}@x` }, {}, /^serverUrl/],
  ];

  it.for(wrong)('%s: a ConfigError that names it, and does not hold the token', ([, options, environment, message]) => {
    const error = thrownBy(() => resolve(options, environment));
    expect(error).toMatchObject({ _tag: 'ConfigError', retryable: false, message: expect.stringMatching(message) });
    const told = everythingIn(error);
    expect(told).not.toContain(token);
    expect(told).not.toContain(token.split('.')[2]);
    expect(told).not.toContain('opaque-token-of-somebody');
    expect(told).not.toContain('secret');
  });

  it('a wrong setting leaves no transport behind', () => {
    let made = 0;
    const make = () => {
      made += 1;
      return transport;
    };
    expect(() => resolveConfig({ token, timeoutMs: -1 }, {}, make)).toThrow('timeoutMs');
    expect(() => resolveConfig({ token, serverUrl: '/x' }, {}, make)).toThrow('serverUrl');
    expect(made).toBe(0);
    resolveConfig({ token }, {}, make);
    expect(made).toBe(1);
  });

  it('options that are undefined are as if left out', () => {
    const options: HatchetOptions = { token, tenantId: undefined, serverUrl: undefined, timeoutMs: undefined };
    expect(accessOf(options)).toMatchObject({ tenantId: TENANT });
  });
});
