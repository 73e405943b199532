import { catchError, defer, from, map, type Observable, of, throwError } from 'rxjs';
import { AuthenticationError } from '../error/errors.ts';

/** Headers that go with every request beside the library's own. */
export type ExtraHeaders = Readonly<Record<string, string>>;

/** The option `headers`: fixed ones, or a function that gives them for each request. */
export type HeadersOption = ExtraHeaders | (() => ExtraHeaders | Promise<ExtraHeaders>) | undefined;

/** The headers that do not change, with names in lower case; `undefined` when a function gives them. */
export function fixedHeadersOf(headers: HeadersOption): ExtraHeaders | undefined {
  return typeof headers === 'function' ? undefined : lowerCased(headers ?? {});
}

/** The headers for one request. Errors: `AuthenticationError` when the function fails. */
export function headersFor(headers: HeadersOption): Observable<ExtraHeaders> {
  if (typeof headers !== 'function') return of(lowerCased(headers ?? {}));
  return defer(() => from(Promise.resolve(headers()))).pipe(
    map(lowerCased),
    catchError((cause: unknown) => throwError(() => new AuthenticationError('the headers function failed', { cause }))),
  );
}

/** One spelling for each header, so that none is sent twice. */
function lowerCased(headers: ExtraHeaders): ExtraHeaders {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
