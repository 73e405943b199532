import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/diagnostics.ts';
import { runDetails, runStatus } from '../../src/http/endpoints.ts';
import type { ExchangeConfig } from '../../src/http/exchange.ts';
import { errorOf, everythingIn } from './support/caught.ts';
import { asking, exchanging } from './support/exchanging.ts';
import { fakeTransport } from './support/fake-transport.ts';
import { jwt, RUN } from './support/jwt.ts';

const OPAQUE = 'opaque-run-token-0123456789';
const COOKIE = 'cookie-value-0123456789';

/** A server that echoes a secret in one way or another, and everything that is told of it. */
async function toldBy(
  secret: string,
  echo: (secret: string) => { readonly status: number; readonly body: string } | Error,
  config: Partial<ExchangeConfig>,
): Promise<string> {
  const diagnostics: Diagnostic[] = [];
  const transport = fakeTransport(() => echo(secret));
  const exchange = exchanging(transport, {
    retry: { maxAttempts: 2, baseDelayMs: 1, maxDelayMs: 1 },
    ...config,
    diagnose: (diagnostic) => diagnostics.push(diagnostic),
  });
  const errors = [
    await errorOf(exchange<unknown>(runDetails('runs.get', RUN))),
    await errorOf(exchange<unknown>(runStatus('runs.getStatus', RUN))),
  ];
  // What the transport itself threw is handed on as it is.
  const without = echo(secret) instanceof Error ? ['cause'] : [];
  return [...errors, ...diagnostics].map((each) => everythingIn(each, without)).join('\n');
}

const echoes: readonly (readonly [string, (secret: string) => { status: number; body: string } | Error])[] = [
  ['an error message', (secret) => ({ status: 400, body: JSON.stringify({ message: `bad token ${secret}` }) })],
  ['an error list', (secret) => ({ status: 403, body: JSON.stringify({ errors: [{ description: secret }] }) })],
  ['a page of a proxy', (secret) => ({ status: 502, body: `<html>Authorization: Bearer ${secret}</html>` })],
  [
    'a page of a proxy, cut in the middle of the secret',
    (secret) => ({ status: 502, body: `${'x'.repeat(90)}${secret}` }),
  ],
  ['a long page, cut in the middle of the secret', (secret) => ({ status: 500, body: `${' y'.repeat(245)}${secret}` })],
  ['an answer that is no JSON', (secret) => ({ status: 200, body: `token=${secret}` })],
  ['an answer that is no JSON and nothing but the secret', (secret) => ({ status: 200, body: secret })],
  [
    'an answer that is no JSON, cut in the middle of the secret',
    (secret) => ({ status: 200, body: `${'z'.repeat(85)}${secret}` }),
  ],
  ['a value in the wrong place', (secret) => ({ status: 200, body: JSON.stringify({ run: secret }) })],
  [
    'a value in the wrong place, cut in the middle',
    (secret) => ({ status: 200, body: JSON.stringify([`${'w'.repeat(80)}${secret}`]) }),
  ],
  ['an error of the connection', (secret) => new Error(`could not send "Bearer ${secret}"`)],
];

/** Every run of 12 characters of a secret: less would not help anybody. */
const piecesOf = (secret: string) =>
  Array.from({ length: secret.length - 11 }, (_, index) => secret.slice(index, index + 12));

describe.for(echoes)('a secret in %s', ([, echo]) => {
  it.for([
    ['token', jwt()],
    ['opaque token', OPAQUE],
  ] as const)('%s: is in no error and no diagnostic, not even a piece of it', async ([, secret]) => {
    const told = await toldBy(secret, echo, { credentials: asking(() => secret) });
    expect(piecesOf(secret).filter((piece) => told.includes(piece))).toEqual([]);
  });

  it.for([
    ['authorization', `Bearer ${OPAQUE}`, OPAQUE],
    ['cookie', `session=${COOKIE}; theme=dark`, COOKIE],
    ['x-api-key', COOKIE, COOKIE],
  ] as const)('a %s header: its secret is in no error either', async ([header, value, secret]) => {
    const told = await toldBy(secret, echo, { headers: { [header]: value } });
    expect(piecesOf(secret).filter((piece) => told.includes(piece))).toEqual([]);
  });
});

describe('a token of any printable characters', () => {
  it('is not in the errors, also where JSON or a URL writes it differently', async () => {
    const secret = fc
      .string({ minLength: 16, maxLength: 60, unit: 'grapheme-ascii' })
      .map((text) => text.replaceAll(' ', '_'));
    await fc.assert(
      fc.asyncProperty(secret, async (token) => {
        const told = await toldBy(token, (echoed) => ({ status: 400, body: JSON.stringify({ message: echoed }) }), {
          credentials: asking(() => token),
        });
        expect(told).not.toContain(token);
      }),
      { numRuns: 50 },
    );
  });
});
