import {
  AuthenticationError,
  DecodeError,
  type ErrorContext,
  type HatchetError,
  HttpStatusError,
  RateLimitedError,
  RunNotFoundError,
} from '../error/errors.ts';
import { shorten } from '../model/decoder.ts';
import { isRecord } from '../model/json.ts';
import { Mismatch, type Reader } from '../model/reader.ts';
import { retryAfterMs } from './retry-policy.ts';
import type { HttpResponse } from './transport.ts';

const SNIPPET_LENGTH = 500;

/** What is needed to tell where an answer came from. */
export interface AnswerContext {
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly attempts: number;
  readonly runId: string | undefined;
  /** Texts that must not appear in an error. */
  readonly secrets: () => readonly string[];
}

/** The model's value of a successful answer. Throws a `HatchetError` for every other one. */
export function readAnswer<A>(response: HttpResponse, read: Reader<A>, context: AnswerContext, now: number): A {
  if (response.status < 200 || response.status > 299) throw errorOf(response, context, now);
  let json: unknown;
  try {
    json = JSON.parse(response.body);
  } catch (error) {
    // A new error: the message of the original quotes the text.
    const cause = new SyntaxError(redacted(error instanceof Error ? error.message : '', context.secrets()));
    throw decodeError({ path: '', expected: 'JSON', got: response.body }, response, context, cause);
  }
  try {
    return read(json);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    const problem = { path: error.path.join('.'), expected: error.expected, got: error.got };
    throw decodeError(problem, response, context);
  }
}

function decodeError(
  problem: { path: string; expected: string; got: unknown },
  response: HttpResponse,
  context: AnswerContext,
  cause?: unknown,
): DecodeError {
  const place = problem.path === '' ? 'the answer' : `"${problem.path}" of the answer`;
  const got = shorten(problem.got, (text) => redacted(text, context.secrets()));
  return new DecodeError(
    `${context.operation}: ${place} is not ${problem.expected} (got ${got})`,
    { ...problem, got },
    errorContext(response, context, cause),
  );
}

function errorOf(response: HttpResponse, context: AnswerContext, now: number): HatchetError {
  const { status } = response;
  // Redacted before it is cut: a secret cut in two would not be found.
  const says = descriptionOf(redacted(response.body, context.secrets())).slice(0, SNIPPET_LENGTH);
  const at = `${context.operation}: ${context.method} ${context.path} answered ${status}${says === '' ? '' : ` (${says})`}`;
  const details = errorContext(response, context);
  if (status === 401 || status === 403) return new AuthenticationError(`${at}. ${authenticationHint(says)}`, details);
  if (status === 404 && context.runId !== undefined) {
    return new RunNotFoundError(`${context.operation}: the server knows no run or task ${context.runId}`, details);
  }
  const pauseMs = retryAfterMs(headerOf(response, 'retry-after'), now);
  if (status === 429) return new RateLimitedError(at, { retryAfterMs: pauseMs }, details);
  const retryable = status === 408 || (status >= 500 && status !== 501);
  return new HttpStatusError(at, { status, retryable, retryAfterMs: pauseMs }, details);
}

/** [hatchet] 403 with the body `null` is what an unknown path or a wrong method gets. */
function authenticationHint(says: string): string {
  return says === ''
    ? 'Is serverUrl right? Hatchet answers so for paths that it does not know.'
    : 'Check the token, and that its tenant is the one asked for.';
}

/** [hatchet] Errors come as `{errors:[{description}]}`, as `{message}`, or as `null`. Proxies send what they like. */
export function descriptionOf(body: string): string {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return body.replace(/\s+/g, ' ').trim().slice(0, 100);
  }
  if (!isRecord(json)) return '';
  if (typeof json['message'] === 'string') return json['message'];
  if (!Array.isArray(json['errors'])) return '';
  return json['errors']
    .flatMap((item: unknown) =>
      isRecord(item) && typeof item['description'] === 'string' ? [item['description']] : [],
    )
    .join('; ');
}

/** A header's (first) value. */
export function headerOf(response: HttpResponse, name: string): string | undefined {
  const value = response.headers[name];
  return typeof value === 'object' ? value[0] : value;
}

function errorContext(response: HttpResponse, context: AnswerContext, cause?: unknown): ErrorContext {
  return {
    operation: context.operation,
    method: context.method,
    path: context.path,
    attempts: context.attempts,
    runId: context.runId,
    status: response.status,
    snippet: redacted(response.body, context.secrets()).slice(0, SNIPPET_LENGTH),
    cause,
  };
}

/** `text` without the secrets, plain or as JSON writes them: a proxy's error page may well echo the request's headers. */
export function redacted(text: string, secrets: readonly string[]): string {
  return secrets
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .reduce(
      // A short "secret" would tear ordinary words apart.
      (rest, secret) => (secret.length < 8 ? rest : rest.replaceAll(secret, '[redacted]')),
      text,
    );
}
