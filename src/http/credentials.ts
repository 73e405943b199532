import { defer, type Observable, of } from 'rxjs';
import { ConfigError, AuthenticationError, isHatchetError } from '../error/errors.ts';

/** Where requests go and as whom. */
export interface Access {
  readonly token: string | undefined;
  readonly tenantId: string;
  /** Scheme, host and port; empty for a same-origin `serverUrl`. */
  readonly origin: string;
  /** What stands before `/api/v1`; empty for a server at the root. */
  readonly basePath: string;
}

/** The access of a client, with a token that may have to be asked for. */
export interface Credentials {
  /** The access, if it is known already. */
  current(): Access | undefined;
  /** The access; asks the token function at the first use only. */
  access(): Observable<Access>;
  /** A newer access than `refused`, or `undefined` when the token cannot be asked for again. Callers share one question. */
  refresh(refused: Access): Observable<Access> | undefined;
}

/** Fixed credentials. */
export function fixedCredentials(access: Access): Credentials {
  return { current: () => access, access: () => of(access), refresh: () => undefined };
}

/** Credentials whose token comes from a function. `resolve` checks a token and reads what its claims say. */
export function askedCredentials(ask: () => string | Promise<string>, resolve: (token: string) => Access): Credentials {
  let current: Access | undefined;
  let underWay: Promise<Access> | undefined;

  /** One question at a time, whoever asks; the next refusal asks anew. */
  const question = (): Promise<Access> => {
    underWay ??= askSafely(ask)
      .then(resolve)
      .then((access) => {
        current = access;
        return access;
      })
      .finally(() => {
        underWay = undefined;
      });
    return underWay;
  };

  return {
    current: () => current,
    access: () => defer(() => (current === undefined ? question() : of(current))),
    refresh: (refused) => defer(() => (current !== undefined && current !== refused ? of(current) : question())),
  };
}

async function askSafely(ask: () => string | Promise<string>): Promise<string> {
  let token: unknown;
  try {
    token = await ask();
  } catch (cause) {
    if (isHatchetError(cause)) throw cause;
    throw new AuthenticationError('the token function failed', { cause });
  }
  if (typeof token !== 'string' || token === '') throw new ConfigError('the token function gave no token');
  return token;
}
