import type { Hatchet } from '../client.ts';
import { duration } from '../config.ts';
import { ConfigError } from '../error/errors.ts';
import { checkKeys, checkWhole } from '../model/filter.ts';
import type { Authorize } from './authorize.ts';
import type { HubBuffer } from './hub.ts';

/** How a gateway is made. */
export interface GatewayOptions {
  /** The client that the gateway asks on behalf of its users. Its token never leaves the gateway. */
  readonly hatchet: Hatchet;
  /** Asked for every request; see `Authorize`. There is no default: nothing is allowed that was not decided on. */
  readonly authorize: Authorize;
  /** What stands before `/api/v1` in the paths, such as `/hatchet`. Default: nothing, or what a framework has cut off. */
  readonly basePath?: string | undefined;
  /** Which web pages of other origins may use the gateway. Default: none. */
  readonly cors?: CorsOptions | undefined;
  /** The longest silence on an event stream, in milliseconds. Default 15,000. */
  readonly heartbeatMs?: number | undefined;
  /** What is remembered of runs. */
  readonly buffer?: GatewayBuffer | undefined;
  readonly limits?: GatewayLimits | undefined;
  /** Told what went wrong inside: `authorize` threw, the server refused the gateway's token, a source broke. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Cross-origin use of a gateway. */
export interface CorsOptions {
  /** Origins such as `https://app.example.com`; `*` for all. */
  readonly origins: readonly string[] | '*';
  /** Whether browsers may send cookies; not with `*`. Default false. */
  readonly credentials?: boolean | undefined;
}

/** What a gateway remembers of each run's events, for readers that come late or come back. */
export interface GatewayBuffer {
  /** Events per run. Default 4,096. */
  readonly events?: number | undefined;
  /** Bytes per run. Default 1 MiB. */
  readonly bytes?: number | undefined;
  /** How long a run's events stay after its end, in milliseconds. Default 60,000. */
  readonly keepAfterEndMs?: number | undefined;
  /** How long a run without readers is listened to and remembered, in milliseconds. Default 300,000. */
  readonly idleMs?: number | undefined;
  /** Runs at once. Default 1,000. */
  readonly runs?: number | undefined;
}

/** What one client, and all together, may ask of a gateway. */
export interface GatewayLimits {
  /** Open event streams. Default 20,000. */
  readonly streams?: number | undefined;
  /** Open event streams of one principal. Default 2,000. */
  readonly streamsPerPrincipal?: number | undefined;
  /** Who is asking, for `streamsPerPrincipal`. Default: the `authorization` header, or the cookies. */
  readonly principal?: ((request: Request) => string) | undefined;
  /** Runs on one connection. Default 100. */
  readonly runsPerStream?: number | undefined;
  /** Run ids in one cancel, replay or look-up of names. Default 1,000. */
  readonly idsPerRequest?: number | undefined;
  /** Bytes of a request's body. Default 4 MiB and some, which is what Hatchet takes. */
  readonly bodyBytes?: number | undefined;
  /** A reader that falls back by more events than this is cut off, and may resume. Default 1,024. */
  readonly behindEvents?: number | undefined;
  /** The same in bytes. Default 256 KiB. */
  readonly behindBytes?: number | undefined;
}

/** Options with nothing left open. */
export interface ResolvedOptions {
  readonly hatchet: Hatchet;
  readonly authorize: Authorize;
  readonly basePath: string;
  readonly cors: CorsOptions | undefined;
  readonly heartbeatMs: number;
  readonly buffer: HubBuffer;
  readonly limits: ResolvedLimits;
  readonly onError: (error: unknown) => void;
}

/** Limits with nothing left open. */
export interface ResolvedLimits {
  readonly streams: number;
  readonly streamsPerPrincipal: number;
  readonly principal: (request: Request) => string;
  readonly runsPerStream: number;
  readonly idsPerRequest: number;
  readonly bodyBytes: number;
}

const WHERE = 'createGateway';

/** Checks the options and fills in the defaults. Throws `ConfigError`. */
export function resolveOptions(options: GatewayOptions): ResolvedOptions {
  checkKeys(WHERE, options, ['hatchet', 'authorize', 'basePath', 'cors', 'heartbeatMs', 'buffer', 'limits', 'onError']);
  if (typeof options.authorize !== 'function') {
    throw new ConfigError(
      `${WHERE}: authorize is required: it decides who may do what, and nothing is allowed without`,
    );
  }
  const { basePath = '', buffer = {}, limits = {}, onError } = options;
  if (basePath !== '' && !/^(\/[^/?#]+)+$/.test(basePath)) {
    throw new ConfigError(`${WHERE}: basePath must be a path such as /hatchet, without a slash at its end`);
  }
  checkKeys(`${WHERE}: buffer`, buffer, ['events', 'bytes', 'keepAfterEndMs', 'idleMs', 'runs']);
  checkKeys(`${WHERE}: limits`, limits, [
    'streams',
    'streamsPerPrincipal',
    'principal',
    'runsPerStream',
    'idsPerRequest',
    'bodyBytes',
    'behindEvents',
    'behindBytes',
  ]);
  const whole = (name: string, value: number | undefined, fallback: number): number => {
    checkWhole(WHERE, name, value, 1);
    return value ?? fallback;
  };
  return {
    hatchet: options.hatchet,
    authorize: options.authorize,
    basePath,
    cors: checkedCors(options.cors),
    heartbeatMs: duration(options.heartbeatMs, `${WHERE}: heartbeatMs`) ?? 15_000,
    buffer: {
      events: whole('buffer.events', buffer.events, 4_096),
      bytes: whole('buffer.bytes', buffer.bytes, 1_048_576),
      keepAfterEndMs: duration(buffer.keepAfterEndMs, `${WHERE}: buffer.keepAfterEndMs`) ?? 60_000,
      idleMs: duration(buffer.idleMs, `${WHERE}: buffer.idleMs`) ?? 300_000,
      runs: whole('buffer.runs', buffer.runs, 1_000),
      behindEvents: whole('limits.behindEvents', limits.behindEvents, 1_024),
      behindBytes: whole('limits.behindBytes', limits.behindBytes, 262_144),
    },
    limits: {
      streams: whole('limits.streams', limits.streams, 20_000),
      streamsPerPrincipal: whole('limits.streamsPerPrincipal', limits.streamsPerPrincipal, 2_000),
      principal: limits.principal ?? principalOf,
      runsPerStream: whole('limits.runsPerStream', limits.runsPerStream, 100),
      idsPerRequest: whole('limits.idsPerRequest', limits.idsPerRequest, 1_000),
      bodyBytes: whole('limits.bodyBytes', limits.bodyBytes, 4_194_304 + 65_536),
    },
    onError: shielded(onError),
  };
}

function principalOf({ headers }: Request): string {
  return headers.get('authorization') ?? headers.get('cookie') ?? '';
}

function checkedCors(cors: CorsOptions | undefined): CorsOptions | undefined {
  if (cors === undefined) return undefined;
  checkKeys(`${WHERE}: cors`, cors, ['origins', 'credentials']);
  const { origins, credentials = false } = cors;
  if (
    origins !== '*' &&
    !(Array.isArray(origins) && origins.every((origin) => /^[a-z][a-z0-9+.-]*:\/\/[^/]+$/.test(origin)))
  ) {
    throw new ConfigError(`${WHERE}: cors.origins must be '*' or origins such as https://app.example.com`);
  }
  if (origins === '*' && credentials) {
    throw new ConfigError(
      `${WHERE}: cors.credentials cannot go with origins '*': any page could use its visitors' cookies`,
    );
  }
  return { origins, credentials };
}

function shielded(listener: ((error: unknown) => void) | undefined): (error: unknown) => void {
  return (error) => {
    try {
      listener?.(error);
    } catch {
      // A logger that throws must not take an answer with it.
    }
  };
}
