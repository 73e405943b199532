import type { Diagnose, Diagnostic } from './diagnostics.ts';
import { shielded } from './diagnostics.ts';
import { ConfigError } from './error/errors.ts';
import { defaultRunEvents } from './events/default-source.ts';
import type { RunEventSource } from './events/source.ts';
import { type Access, askedCredentials, type Credentials, fixedCredentials } from './http/credentials.ts';
import type { HeadersOption } from './http/extra-headers.ts';
import type { ResolvedRetryPolicy, RetryPolicy } from './http/retry-policy.ts';
import { claimsOf } from './http/token-claims.ts';
import type { HttpTransport } from './http/transport.ts';
import { isUuid } from './model/uuid.ts';

/** Options of a client. What is left out is taken from the environment, then from the token, then from the default. */
export interface HatchetOptions {
  /**
   * The API token, or a function that gives one (asked at the first request, and once more whenever the server refuses
   * it). Environment: `HATCHET_CLIENT_TOKEN`. A token's claims name the tenant and the server. May be left out only where
   * `headers` or same-origin cookies (a `serverUrl` such as `/hatchet`) say who is asking.
   */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** Environment: `HATCHET_CLIENT_TENANT_ID`. Default: the token's `sub`; where that is no tenant, `default`. */
  readonly tenantId?: string | undefined;
  /**
   * Where the server or gateway is, without `/api/v1`. Environment: `HATCHET_CLIENT_API_URL`, then
   * `HATCHET_CLIENT_SERVER_URL`. Default: the token's `server_url`. In a browser a path such as `/hatchet` will do.
   */
  readonly serverUrl?: string | undefined;
  /** Prefix of every workflow name. Environment: `HATCHET_CLIENT_NAMESPACE`. Lower-cased, ended by one `_`. */
  readonly namespace?: string | undefined;
  /** Further request headers, or a function that gives them for each request. */
  readonly headers?: HeadersOption;
  /** What carries requests. Default: undici on Node, `fetch` in a browser. */
  readonly transport?: HttpTransport | undefined;
  /**
   * Where run events come from. Default: SSE at `serverUrl` (our gateway, the embedded engine); a Hatchet server itself has
   * none, then the run is polled and a `gap` says that chunks cannot be had. On a Node back end: `grpcRunEvents()`.
   */
  readonly events?: RunEventSource | undefined;
  /** Deadline of one request with all its attempts, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** How requests that are safe to repeat are repeated. */
  readonly retry?: RetryPolicy | undefined;
  /** The longest time between two looks at a run that is waited for, in milliseconds. Looks start closer. Default 1,000. */
  readonly pollIntervalMs?: number | undefined;
  /** How long a run is waited for, in milliseconds; then `TimeoutError`. Default: no limit. */
  readonly waitTimeoutMs?: number | undefined;
  /** Told every request, retry, poll and wait. The library itself never writes to the console. */
  readonly onDiagnostic?: ((diagnostic: Diagnostic) => void) | undefined;
}

/** Options with nothing left open. */
export interface ResolvedConfig {
  readonly credentials: Credentials;
  readonly transport: HttpTransport;
  readonly headers: HatchetOptions['headers'];
  readonly events: RunEventSource;
  /** The tenant, as far as it is known without asking for a token. */
  readonly tenantId: string;
  readonly namespace: string;
  readonly timeoutMs: number;
  readonly retry: ResolvedRetryPolicy;
  readonly pollIntervalMs: number;
  readonly waitTimeoutMs: number | undefined;
  readonly diagnose: Diagnose;
}

/** Environment variables; a plain object in tests. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The tenant segment for gateways, which know the tenant themselves. */
const DEFAULT_TENANT = 'default';

/** A setting's value, and the name to blame it by: that of the option or of the variable. */
interface Setting {
  readonly value: string;
  readonly name: string;
}

/** Checks everything that can be checked without a request. Throws `ConfigError`, which never repeats the token. */
export function resolveConfig(
  options: HatchetOptions,
  environment: Environment,
  createTransport: () => HttpTransport,
): ResolvedConfig {
  rejectUnknownKeys(options);
  const namespace = namespaceOf(
    setting(options.namespace, 'namespace', environment, 'HATCHET_CLIENT_NAMESPACE')?.value,
  );
  const server = setting(
    options.serverUrl,
    'serverUrl',
    environment,
    'HATCHET_CLIENT_API_URL',
    'HATCHET_CLIENT_SERVER_URL',
  );
  const tenant = tenantOf(setting(options.tenantId, 'tenantId', environment, 'HATCHET_CLIENT_TENANT_ID'));
  const credentials = credentialsOf(options, environment, server, tenant);
  if (server?.value.startsWith('/') === true && options.transport === undefined && !('location' in globalThis)) {
    throw new ConfigError(
      `${server.name} is the path "${server.value}", which only a browser can complete to an address`,
    );
  }
  return {
    credentials,
    headers: options.headers,
    events: options.events ?? defaultRunEvents(),
    tenantId: credentials.current()?.tenantId ?? tenant ?? DEFAULT_TENANT,
    namespace,
    timeoutMs: duration(options.timeoutMs, 'timeoutMs') ?? 30_000,
    retry: {
      maxAttempts: count(options.retry?.maxAttempts, 'retry.maxAttempts') ?? 4,
      baseDelayMs: duration(options.retry?.baseDelayMs, 'retry.baseDelayMs') ?? 100,
      maxDelayMs: duration(options.retry?.maxDelayMs, 'retry.maxDelayMs') ?? 5_000,
    },
    pollIntervalMs: duration(options.pollIntervalMs, 'pollIntervalMs') ?? 1_000,
    waitTimeoutMs: duration(options.waitTimeoutMs, 'waitTimeoutMs'),
    diagnose: shielded(options.onDiagnostic),
    // Last, so that a bad setting leaves no pool of sockets behind.
    transport: options.transport ?? createTransport(),
  };
}

/** Adds the namespace to a workflow's name. [hatchet] A name that has it already stays as it is. */
export function withNamespace(namespace: string, name: string): string {
  return name.startsWith(namespace) ? name : namespace + name;
}

/** Beyond this a timer of the platform fires at once. Milliseconds (24.8 days). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A duration option in milliseconds: positive, and short enough for a timer. Throws `ConfigError`. */
export function duration(value: number | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value > 0 && value <= LONGEST_TIMER_MS)) {
    const range = `a positive number of milliseconds, at most ${LONGEST_TIMER_MS}`;
    throw new ConfigError(`${name} must be ${range}, not ${String(value)}`);
  }
  return value;
}

const OPTION_NAMES: { readonly [K in keyof Required<HatchetOptions>]: true } = {
  token: true,
  tenantId: true,
  serverUrl: true,
  namespace: true,
  headers: true,
  transport: true,
  events: true,
  timeoutMs: true,
  retry: true,
  pollIntervalMs: true,
  waitTimeoutMs: true,
  onDiagnostic: true,
};

function rejectUnknownKeys(options: object): void {
  const unknown = Object.keys(options).find((key) => !Object.hasOwn(OPTION_NAMES, key));
  if (unknown !== undefined) {
    throw new ConfigError(`createHatchet has no option "${unknown}"; it knows ${Object.keys(OPTION_NAMES).join(', ')}`);
  }
}

function count(value: number | undefined, name: string): number | undefined {
  if (value !== undefined && (!Number.isInteger(value) || value < 1)) {
    throw new ConfigError(`${name} must be a whole number from 1 on, not ${String(value)}`);
  }
  return value;
}

/** [hatchet] As the official SDKs: lower case, one trailing underscore. */
function namespaceOf(value: string | undefined): string {
  if (value === undefined) return '';
  return (value.endsWith('_') ? value : `${value}_`).toLowerCase();
}

/** The option if given, else the first of the variables that is set. Empty variables count as not set. */
function setting(
  option: string | undefined,
  optionName: string,
  environment: Environment,
  ...variables: readonly string[]
): Setting | undefined {
  if (option !== undefined) {
    if (typeof option !== 'string') throw new ConfigError(`${optionName} must be a string`);
    return option === '' ? undefined : { value: option, name: optionName };
  }
  for (const name of variables) {
    const value = environment[name]?.trim();
    if (value !== undefined && value !== '') return { value, name };
  }
  return undefined;
}

function tenantOf(tenant: Setting | undefined): string | undefined {
  if (tenant !== undefined && !isUuid(tenant.value) && tenant.value !== DEFAULT_TENANT) {
    // Values are not repeated: a token may stand in the wrong place.
    throw new ConfigError(`${tenant.name} must be the UUID of a tenant`);
  }
  return tenant?.value;
}

function credentialsOf(
  options: HatchetOptions,
  environment: Environment,
  server: Setting | undefined,
  tenant: string | undefined,
): Credentials {
  const accessOf = (token: Setting | undefined) => resolveAccess(token, server, tenant);
  if (typeof options.token === 'function') {
    // What is wrong without any token is found out now rather than at the first request.
    if (server !== undefined) addressOf(server);
    return askedCredentials(options.token, (value) => accessOf({ value, name: 'the token of the token function' }));
  }
  const token = setting(options.token, 'token', environment, 'HATCHET_CLIENT_TOKEN');
  const sameOrigin = server?.value.startsWith('/') === true;
  if (token === undefined && options.headers === undefined && !sameOrigin) {
    throw new ConfigError(
      'no token: set HATCHET_CLIENT_TOKEN, or give createHatchet the option token (or headers that authenticate)',
    );
  }
  return fixedCredentials(accessOf(token));
}

function resolveAccess(token: Setting | undefined, server: Setting | undefined, tenant: string | undefined): Access {
  // A token goes into a header: a line break in it would make the transport fail with the token in its message.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token.value)) {
    throw new ConfigError(`${token.name} holds characters that no token has (line breaks? blanks?)`);
  }
  const claims = token === undefined ? undefined : claimsOf(token.value);
  const url = server ?? claimedServer(token, claims);
  if (url === undefined) {
    throw new ConfigError(
      token === undefined
        ? 'no server: set HATCHET_CLIENT_SERVER_URL or give createHatchet the option serverUrl'
        : claims === undefined
          ? `${token.name} is not a Hatchet token (a JWT); with another kind of token, set HATCHET_CLIENT_SERVER_URL or the option serverUrl`
          : `${token.name} has no claim "server_url": set HATCHET_CLIENT_SERVER_URL or the option serverUrl`,
    );
  }
  const claimed = claims?.['sub'];
  return {
    token: token?.value,
    tenantId: tenant ?? (isUuid(claimed) ? claimed : DEFAULT_TENANT),
    ...addressOf(url),
  };
}

function claimedServer(token: Setting | undefined, claims: Readonly<Record<string, unknown>> | undefined) {
  const value = claims?.['server_url'];
  return token !== undefined && typeof value === 'string' && value !== ''
    ? { value, name: `the claim "server_url" of ${token.name}` }
    : undefined;
}

function addressOf({ value, name }: Setting): { origin: string; basePath: string } {
  if (value.startsWith('/')) return { origin: '', basePath: value.replace(/\/+$/, '') };
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    // Without the cause, which holds the value.
    throw new ConfigError(`${name} must be a URL such as https://hatchet.example.com`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ConfigError(`${name} must begin with http:// or https://`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new ConfigError(`${name} must be just a server's address: no user, query or fragment`);
  }
  return { origin: url.origin, basePath: url.pathname.replace(/\/+$/, '') };
}
