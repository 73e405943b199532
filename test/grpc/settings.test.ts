import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/error/errors.ts';
import { claimedAddress, resolveSettings } from '../../src/grpc/settings.ts';

describe('the settings', () => {
  it('come from the options, then from the environment', () => {
    const environment = { HATCHET_CLIENT_HOST_PORT: 'env.example.com:7070', HATCHET_CLIENT_TLS_STRATEGY: 'none' };
    expect(resolveSettings({}, environment)).toEqual({ address: 'env.example.com:7070', tls: undefined });
    expect(resolveSettings({ address: '[::1]:7077', tls: 'tls' }, environment)).toMatchObject({
      address: '[::1]:7077',
      tls: { rootCa: null, key: null },
    });
    expect(resolveSettings({ tls: { serverName: 'a' } }, {}).tls).toMatchObject({ serverName: 'a' });
    expect(resolveSettings({}, { HATCHET_CLIENT_HOST_PORT: '  ' }).address).toBeUndefined();
  });

  it.each([
    [{ address: 'https://engine:7070' }, {}, 'address'],
    [{ address: 'engine' }, {}, 'address'],
    [{ address: 'engine:0' }, {}, 'address'],
    [{}, { HATCHET_CLIENT_HOST_PORT: 'engine' }, 'HATCHET_CLIENT_HOST_PORT'],
    [{}, { HATCHET_CLIENT_TLS_STRATEGY: 'ssl' }, 'HATCHET_CLIENT_TLS_STRATEGY'],
    [{ tls: 'mtls' as const }, {}, 'HATCHET_CLIENT_TLS_CERT_FILE'],
    [{ tls: { rootCaFile: '/does/not/exist' } }, {}, 'rootCaFile'],
    [{ tls: { unknown: true } as never }, {}, 'unknown'],
  ])('that are wrong are named: %j %j', (options, environment, name) => {
    expect(() => resolveSettings(options, environment)).toThrow(ConfigError);
    expect(() => resolveSettings(options, environment)).toThrow(name);
  });

  it('take the address from the token', () => {
    expect(claimedAddress({ grpc_broadcast_address: 'engine:7070' })).toBe('engine:7070');
    expect(() => claimedAddress({})).toThrow('HATCHET_CLIENT_HOST_PORT');
    expect(() => claimedAddress(undefined)).toThrow(ConfigError);
  });
});
