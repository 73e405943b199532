import { readFileSync } from 'node:fs';
import type { Environment } from '../config.ts';
import { ConfigError } from '../error/errors.ts';
import { isRecord } from '../model/json.ts';

/** How the connection is secured. The environment names are those of the official SDKs. */
export interface GrpcTlsOptions {
  /** `none`: not at all; `tls`; `mtls`: with a certificate of one's own. `HATCHET_CLIENT_TLS_STRATEGY`. Default `tls`. */
  readonly strategy?: 'none' | 'tls' | 'mtls' | undefined;
  /** PEM file of one's own certificate, for `mtls`. `HATCHET_CLIENT_TLS_CERT_FILE`. */
  readonly certFile?: string | undefined;
  /** PEM file of its key, for `mtls`. `HATCHET_CLIENT_TLS_KEY_FILE`. */
  readonly keyFile?: string | undefined;
  /** PEM file of the authorities to trust instead of the well-known ones. `HATCHET_CLIENT_TLS_ROOT_CA_FILE`. */
  readonly rootCaFile?: string | undefined;
  /** The name that the server's certificate must be for, if not the address's host. `HATCHET_CLIENT_TLS_SERVER_NAME`. */
  readonly serverName?: string | undefined;
}

/** What secures a connection, files read. */
export interface ResolvedTls {
  readonly rootCa: Buffer | null;
  readonly key: Buffer | null;
  readonly cert: Buffer | null;
  readonly serverName: string | undefined;
}

/** Where the engine is, and how to talk to it. */
export interface GrpcSettings {
  /** As given; `undefined`: the token says it. */
  readonly address: string | undefined;
  /** `undefined`: in plain text. */
  readonly tls: ResolvedTls | undefined;
}

/** Checks what can be checked without a token. Throws `ConfigError`. */
export function resolveSettings(
  options: { readonly address?: string | undefined; readonly tls?: GrpcTlsOptions['strategy'] | GrpcTlsOptions },
  environment: Environment,
): GrpcSettings {
  const given = options.address;
  const fromEnvironment = valueOf(environment['HATCHET_CLIENT_HOST_PORT']);
  const address =
    given !== undefined
      ? checkAddress(given, 'grpcRunEvents: address')
      : fromEnvironment === undefined
        ? undefined
        : checkAddress(fromEnvironment, 'HATCHET_CLIENT_HOST_PORT');
  return { address, tls: resolveTls(options.tls, environment) };
}

/** The address that a token names. Throws `ConfigError`, which does not hold the token. */
export function claimedAddress(claims: Readonly<Record<string, unknown>> | undefined): string {
  const claimed = claims?.['grpc_broadcast_address'];
  if (typeof claimed !== 'string' || claimed === '') {
    throw new ConfigError(
      'grpcRunEvents: the token has no claim "grpc_broadcast_address": set HATCHET_CLIENT_HOST_PORT or the option address',
    );
  }
  return checkAddress(claimed, 'the claim "grpc_broadcast_address" of the token');
}

function checkAddress(value: unknown, name: string): string {
  const parts = typeof value === 'string' ? /^(\[[0-9a-f:.%]+\]|[^\s:/@?#[\]]+):(\d{1,5})$/i.exec(value.trim()) : null;
  const port = Number(parts?.[2]);
  if (parts === null || port < 1 || port > 65_535) {
    throw new ConfigError(
      `${name} must be a host and a port such as engine.example.com:7070, not ${JSON.stringify(value)}`,
    );
  }
  return parts[0];
}

function resolveTls(
  option: GrpcTlsOptions['strategy'] | GrpcTlsOptions,
  environment: Environment,
): ResolvedTls | undefined {
  const options: GrpcTlsOptions = typeof option === 'string' ? { strategy: option } : (option ?? {});
  if (!isRecord(options)) throw new ConfigError("grpcRunEvents: tls must be 'none', 'tls', 'mtls' or an object");
  const known = new Set(['strategy', 'certFile', 'keyFile', 'rootCaFile', 'serverName']);
  const unknown = Object.keys(options).find((key) => !known.has(key));
  if (unknown !== undefined) throw new ConfigError(`grpcRunEvents: tls has no option "${unknown}"`);

  const setting = (key: keyof GrpcTlsOptions, variable: string) => {
    const given = options[key];
    if (given !== undefined && typeof given !== 'string') {
      throw new ConfigError(`grpcRunEvents: tls.${key} must be a string`);
    }
    return given === undefined
      ? { value: valueOf(environment[variable]), name: variable }
      : { value: valueOf(given), name: `grpcRunEvents: tls.${key}` };
  };
  const strategy = setting('strategy', 'HATCHET_CLIENT_TLS_STRATEGY');
  const chosen = strategy.value ?? 'tls';
  if (chosen === 'none') return undefined;
  if (chosen !== 'tls' && chosen !== 'mtls') {
    throw new ConfigError(`${strategy.name} must be "none", "tls" or "mtls", not ${JSON.stringify(chosen)}`);
  }
  const rootCa = read(setting('rootCaFile', 'HATCHET_CLIENT_TLS_ROOT_CA_FILE'));
  const serverName = setting('serverName', 'HATCHET_CLIENT_TLS_SERVER_NAME').value;
  if (chosen === 'tls') return { rootCa, key: null, cert: null, serverName };
  const key = read(setting('keyFile', 'HATCHET_CLIENT_TLS_KEY_FILE'));
  const cert = read(setting('certFile', 'HATCHET_CLIENT_TLS_CERT_FILE'));
  if (key === null || cert === null) {
    throw new ConfigError(
      'grpcRunEvents: mtls needs a certificate and its key: set HATCHET_CLIENT_TLS_CERT_FILE and ' +
        'HATCHET_CLIENT_TLS_KEY_FILE, or tls.certFile and tls.keyFile',
    );
  }
  return { rootCa, key, cert, serverName };
}

function read({ value, name }: { readonly value: string | undefined; readonly name: string }): Buffer | null {
  if (value === undefined) return null;
  try {
    return readFileSync(value);
  } catch (cause) {
    throw new ConfigError(`${name}: the file ${JSON.stringify(value)} cannot be read`, { cause });
  }
}

/** Empty settings count as not set. */
function valueOf(value: string | undefined): string | undefined {
  const trimmed = value?.trim();
  return trimmed === '' ? undefined : trimmed;
}
