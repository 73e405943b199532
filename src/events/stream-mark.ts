/**
 * The marks with which a task says how many chunks it streams, so that a loss shows: a chunk of its own before the first
 * one, and one after the last. They are made of invisible characters of no width, so that whoever reads the raw chunks sees
 * nothing of them. docs/decisions has the why; src/worker writes them, as does the recipe for Python.
 *
 *     opening   U+2063 U+2064 [attempt] U+2063
 *     closing   U+2063 count [U+2064 attempt] U+2063
 *
 * Numbers are binary: U+2061 is 0, U+2062 is 1. `count` is the number of chunks before the mark, the opening one included;
 * `attempt` is the retry count of the attempt, where the task knows it.
 */
export type StreamMark =
  | { readonly type: 'opening'; readonly retryCount?: number }
  | { readonly type: 'closing'; readonly retryCount?: number; readonly count: number };

const FRAME = '\u2063';
const PLUS = '\u2064';
const ZERO = '\u2061';
const ONE = '\u2062';

const MARK = new RegExp(`^${FRAME}([${ZERO}${ONE}]{0,53})(${PLUS}([${ZERO}${ONE}]{0,31}))?${FRAME}$`);

/** The chunk that is the mark. */
export function writeMark(mark: StreamMark): string {
  const attempt = mark.retryCount === undefined ? '' : digitsOf(mark.retryCount);
  if (mark.type === 'opening') return FRAME + PLUS + attempt + FRAME;
  return FRAME + digitsOf(mark.count) + (attempt === '' ? '' : PLUS + attempt) + FRAME;
}

/** The mark that a chunk is; `undefined` for every other text. */
export function readMark(text: string): StreamMark | undefined {
  // Nearly every chunk is none: one look at its first character.
  if (!text.startsWith(FRAME)) return undefined;
  const parts = MARK.exec(text);
  if (parts === null) return undefined;
  const [, count = '', plus, attempt = ''] = parts;
  const known = attempt === '' ? {} : { retryCount: numberOf(attempt) };
  if (count !== '') return { type: 'closing', count: numberOf(count), ...known };
  return plus === undefined ? undefined : { type: 'opening', ...known };
}

function digitsOf(value: number): string {
  return value.toString(2).replaceAll('0', ZERO).replaceAll('1', ONE);
}

function numberOf(digits: string): number {
  return Number.parseInt(digits.replaceAll(ZERO, '0').replaceAll(ONE, '1'), 2);
}
