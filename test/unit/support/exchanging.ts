import { type Exchange, createExchange, type ExchangeConfig } from '../../../src/http/exchange.ts';
import { askedCredentials, fixedCredentials } from '../../../src/http/credentials.ts';
import type { HttpTransport } from '../../../src/http/transport.ts';
import { jwt, TENANT } from './jwt.ts';

export const TOKEN: string = jwt();

const access = { tenantId: TENANT, origin: 'http://server', basePath: '' };

/** An exchange with the defaults of a client, over a fake transport. */
export function exchanging(transport: HttpTransport, config: Partial<ExchangeConfig> = {}): Exchange {
  return createExchange({
    credentials: fixedCredentials({ ...access, token: TOKEN }),
    transport,
    headers: undefined,
    retry: { maxAttempts: 4, baseDelayMs: 100, maxDelayMs: 5_000 },
    timeoutMs: 30_000,
    diagnose: undefined,
    ...config,
  });
}

/** Credentials whose token is asked for. */
export function asking(ask: () => string | Promise<string>): ExchangeConfig['credentials'] {
  return askedCredentials(ask, (token) => ({ ...access, token }));
}
