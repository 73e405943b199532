// So that the declarations stand on their own where a consumer's `lib` has no Symbol.asyncDispose.
/// <reference lib="esnext.disposable" preserve="true" />
import { writeMark } from '../events/stream-mark.ts';
import { splitText } from './split-text.ts';

/** What a task's context must have: that of the official TypeScript SDK does, and that of the embedded engine. */
export interface StreamContext {
  putStream(text: string): Promise<unknown> | void;
  /** The number of this attempt, from 0: a method in the official SDK, a property in the embedded engine. */
  readonly retryCount?: number | (() => number) | undefined;
}

/** Options of `reliableStream`. */
export interface ReliableStreamOptions {
  /**
   * How long `close` waits after the last chunk, in milliseconds; the task must not return before. [hatchet] The news that
   * a run has ended overtakes chunks that are still queued, and ends the streams of its readers. Default 500.
   */
  readonly settleMs?: number | undefined;
  /** The longest chunk in bytes of UTF-8, 4 to 4,000. [hatchet] Chunks from about 4.1 kB on get lost. Default 4,000. */
  readonly maxBytes?: number | undefined;
}

/** A task's stream of text whose loss can be proved. */
export interface ReliableStream {
  /** Streams a text, in pieces if it is long. Resolves when the server has taken them. Empty text is nothing to stream. */
  write(text: string): Promise<void>;
  /** Says how much was streamed, and waits until it is safe to return from the task. Calling it again changes nothing. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** [hatchet] Larger ones take another way, on which they get lost (measured: 4,000 is safe, 4,500 is not). */
const MAX_BYTES = 4_000;

const SETTLE_MS = 500;

/** One stream per attempt: its end is the end of all chunks. */
const used = new WeakSet<StreamContext>();

/**
 * A stream for tasks, with which readers know whether they have all of it: `finished` says `tail: 'verified'`, or a `gap`
 * says what is missing.
 *
 * One per attempt of a task, and nothing else may use `ctx.putStream`. Close it before the task returns or throws, best by
 * `await using`.
 *
 * @throws TypeError if the context has a reliable stream already; RangeError for options out of bounds
 * @example
 * ```ts
 * const answer = hatchet.task({
 *   name: 'answer',
 *   fn: async (input: { question: string }, ctx) => {
 *     await using stream = reliableStream(ctx);
 *     for await (const token of ask(input.question)) await stream.write(token);
 *     return { ok: true };
 *   },
 * });
 * ```
 */
export function reliableStream(ctx: StreamContext, options: ReliableStreamOptions = {}): ReliableStream {
  const { settleMs = SETTLE_MS, maxBytes = MAX_BYTES } = options;
  if (!(settleMs >= 0 && Number.isFinite(settleMs))) {
    throw new RangeError(`reliableStream: settleMs must be a number of milliseconds, not ${String(settleMs)}`);
  }
  if (!(maxBytes >= 4 && maxBytes <= MAX_BYTES)) {
    throw new RangeError(`reliableStream: maxBytes must be between 4 and ${MAX_BYTES}, not ${String(maxBytes)}`);
  }
  if (used.has(ctx)) throw new TypeError('reliableStream: this context has a reliable stream already');
  used.add(ctx);

  const attempt = typeof ctx.retryCount === 'function' ? ctx.retryCount() : ctx.retryCount;
  const known = attempt === undefined ? {} : { retryCount: attempt };
  let count = 0;
  /** Puts go one after the other, also when the caller does not wait for them. */
  let last: Promise<void> = Promise.resolve();
  let closed: Promise<void> | undefined;

  const put = async (text: string): Promise<void> => {
    // Counted before it is known to have arrived: a refused chunk is a loss, and must show as one.
    count += 1;
    await ctx.putStream(text);
  };
  const enqueue = (work: () => Promise<void>): Promise<void> => {
    // A failed put is its caller's to know; the next one goes on.
    const turn = last.then(work, work);
    last = turn;
    turn.catch(ignore);
    return turn;
  };
  const write = (text: string): Promise<void> => {
    if (closed !== undefined) return Promise.reject(new TypeError('reliableStream: the stream is closed'));
    if (text === '') return Promise.resolve();
    return enqueue(async () => {
      if (count === 0) await put(writeMark({ type: 'opening', ...known }));
      for (const piece of splitText(text, maxBytes)) await put(piece);
    });
  };
  const close = (): Promise<void> => {
    closed ??= enqueue(async () => {
      await ctx.putStream(writeMark({ type: 'closing', count, ...known }));
      await new Promise((resolve) => {
        setTimeout(resolve, settleMs);
      });
    });
    return closed;
  };
  return {
    write,
    close,
    // A closing mark that cannot be put (the task was cancelled) shows at the reader; here it would hide the task's own error.
    [Symbol.asyncDispose]: () => close().catch(ignore),
  };
}

const ignore = (): void => {};
