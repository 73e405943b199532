import { ConfigError } from '../error/errors.ts';
import { duration } from '../config.ts';
import { isRecord } from '../model/json.ts';
import { isUuid } from '../model/uuid.ts';
import type { Access, Authorize, Decision, GatewayOperation, Scope } from './authorize.ts';

/** What a run token allows, and for how long. */
export interface RunTokenOptions {
  /** At least 32 bytes, shared by all who make and check tokens. */
  readonly secret: string | Uint8Array;
  /** The runs it is for. Either these or `metadata`. */
  readonly runIds?: readonly string[] | undefined;
  /** All runs whose metadata carries these pairs. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Default: what watching takes (`WATCHING`); with `metadata` lists as well. */
  readonly operations?: readonly GatewayOperation[] | undefined;
  /** At most 24 hours, in milliseconds. */
  readonly expiresInMs: number;
}

/** How run tokens are checked. */
export interface RunTokensOptions {
  readonly secret: string | Uint8Array;
  /**
   * The name of a query parameter that may carry the token, for a browser's plain `EventSource`, which cannot send headers.
   * Addresses end up in logs: keep such tokens short-lived. Default: none, only the header counts.
   */
  readonly queryParameter?: string | undefined;
}

/** What watching a run takes. */
export const WATCHING: readonly GatewayOperation[] = [
  'get',
  'getStatus',
  'getTaskRun',
  'getTimings',
  'getTaskEvents',
  'getTaskLogs',
  'subscribeToStream',
];

const LISTING: readonly GatewayOperation[] = ['list', 'listIds'];

const AUDIENCE = 'hatchet-rx/gateway';
const MAX_LIFE_MS = 24 * 60 * 60 * 1_000;
const MIN_SECRET_BYTES = 32;

/** A token has to fit into a header. */
const MAX_RUN_IDS = 100;

/**
 * Makes a token for a browser: for some runs, or all runs with some metadata, and for some operations.
 *
 * Errors: `ConfigError`. Needs the package `jose`.
 */
export async function createRunToken(options: RunTokenOptions): Promise<string> {
  const { runIds, metadata, expiresInMs } = options;
  const secret = secretOf('createRunToken', options.secret);
  if ((runIds === undefined) === (metadata === undefined)) {
    throw new ConfigError('createRunToken: a token is either for runIds or for metadata');
  }
  if (runIds !== undefined && (runIds.length === 0 || runIds.length > MAX_RUN_IDS || !runIds.every(isUuid))) {
    throw new ConfigError(`createRunToken: runIds must be 1 to ${MAX_RUN_IDS} ids of runs; for more, use metadata`);
  }
  if (metadata !== undefined) checkMetadata(metadata);
  if ((duration(expiresInMs, 'createRunToken: expiresInMs') ?? Number.POSITIVE_INFINITY) > MAX_LIFE_MS) {
    throw new ConfigError('createRunToken: expiresInMs must be 24 hours at most: such a token cannot be taken back');
  }
  const operations = options.operations ?? (metadata === undefined ? WATCHING : [...WATCHING, ...LISTING]);
  const { SignJWT } = await jose();
  const now = Date.now();
  return new SignJWT({
    ops: [...operations],
    ...(runIds === undefined ? { meta: metadata } : { runs: runIds.map((id) => id.toLowerCase()) }),
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setAudience(AUDIENCE)
    .setIssuedAt(Math.floor(now / 1_000))
    .setExpirationTime(Math.ceil((now + expiresInMs) / 1_000))
    .sign(secret);
}

/** Allows what a token of `createRunToken` allows, and nothing without one. Throws `ConfigError` for a weak secret. */
export function runTokens(options: RunTokensOptions): Authorize {
  const secret = secretOf('runTokens', options.secret);
  return async (request, access) => {
    const token = tokenOf(request, options.queryParameter);
    if (token === undefined) return { denied: 'a run token is required' };
    const { jwtVerify, errors } = await jose();
    try {
      const { payload } = await jwtVerify(token, secret, { audience: AUDIENCE, algorithms: ['HS256'] });
      return decisionOf(payload, access);
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { denied: 'the run token has expired' };
      if (error instanceof errors.JOSEError) return { denied: 'the run token is not valid' };
      throw error;
    }
  };
}

function decisionOf(claims: Readonly<Record<string, unknown>>, access: Access): Decision {
  const { ops, runs, meta } = claims;
  if (!Array.isArray(ops) || !ops.includes(access.operation)) {
    return { denied: `the run token does not allow ${access.operation}` };
  }
  // The pairs were checked when the token was made, and the signature vouches for that.
  if (isRecord(meta)) return { scope: meta as Scope };
  const { runIds = [] } = access;
  const own = Array.isArray(runs) && runIds.length > 0 && runIds.every((id) => runs.includes(id));
  return own ? true : { denied: 'the run token is for other runs' };
}

function tokenOf(request: Request, queryParameter: string | undefined): string | undefined {
  const header = /^Bearer (\S+)$/.exec(request.headers.get('authorization') ?? '')?.[1];
  if (header !== undefined || queryParameter === undefined) return header;
  return new URL(request.url).searchParams.get(queryParameter) ?? undefined;
}

function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  const pairs = Object.entries(metadata);
  // [hatchet] A pair is split at its first colon, and only texts can be filtered by.
  if (
    pairs.length === 0 ||
    pairs.some(([key, value]) => key === '' || key.includes(':') || typeof value !== 'string')
  ) {
    throw new ConfigError('createRunToken: metadata must be pairs of texts, at least one, without a colon in the name');
  }
}

function secretOf(where: string, secret: string | Uint8Array): Uint8Array {
  const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret;
  if (!(bytes instanceof Uint8Array) || bytes.length < MIN_SECRET_BYTES) {
    throw new ConfigError(`${where}: secret must have ${MIN_SECRET_BYTES} bytes or more`);
  }
  return bytes;
}

/** Loaded at the first use: who brings an `authorize` of their own needs no JOSE. */
async function jose(): Promise<typeof import('jose')> {
  try {
    return await import('jose');
  } catch (cause) {
    throw new ConfigError('run tokens need the package jose: npm install jose', { cause });
  }
}
