import { isRecord } from './json.ts';

/** The outcome of decoding; fp-ts' `Either`, by structure. */
export type Decoded<A> =
  | { readonly _tag: 'Left'; readonly left: unknown }
  | { readonly _tag: 'Right'; readonly right: A };

/** Anything that can check an unknown value: every io-ts codec fits, also one of a second copy of io-ts. */
export interface Decoder<A> {
  decode(value: unknown): Decoded<A>;
}

/** A decoder that can also write: every io-ts codec fits. */
export interface Codec<A> extends Decoder<A> {
  encode(value: A): unknown;
}

/** Where a document is not what was agreed on. */
export interface Problem {
  /** Dotted path; empty for the whole document. */
  readonly path: string;
  readonly expected: string;
  /** At most 100 characters. */
  readonly got: string;
}

/** The first problem in the `left` of a decoder: an io-ts error list is understood, all else becomes text. */
export function problemOf(left: unknown): Problem {
  const first: unknown = Array.isArray(left) ? left[0] : left;
  const context = isRecord(first) ? first['context'] : undefined;
  if (!isRecord(first) || !Array.isArray(context)) return { path: '', expected: 'a valid value', got: shorten(left) };
  const keys = context.map((entry: unknown) => (isRecord(entry) ? String(entry['key']) : ''));
  const last: unknown = context.at(-1);
  const type = isRecord(last) && isRecord(last['type']) ? String(last['type']['name']) : 'a valid value';
  return { path: keys.filter((key) => key !== '').join('.'), expected: type, got: shorten(first['value']) };
}

/** A value as at most 100 characters of JSON, after `clean` has taken out what must not be shown. */
export function shorten(value: unknown, clean: (text: string) => string = (text) => text): string {
  let text: string;
  try {
    text = value === undefined ? 'undefined' : clean(JSON.stringify(value) ?? typeof value);
  } catch {
    text = typeof value;
  }
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
