import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { Observable } from 'rxjs';

/** What a stream of server-sent events says. */
export type SseSignal =
  | { readonly type: 'message'; readonly message: EventSourceMessage }
  /** The server wants reconnections to wait this long, in milliseconds. */
  | { readonly type: 'retry'; readonly ms: number }
  /** Bytes without a whole message, comments for example: the connection lives. */
  | { readonly type: 'alive' };

/** How much of an unfinished message is kept, in characters: gateways send far smaller ones. */
export const MAX_MESSAGE_LENGTH: number = 8 * 1024 * 1024;

/**
 * Parses bytes as server-sent events, however they are cut into pieces.
 *
 * Emits: every message and retry time as soon as it is whole, and `alive` for a piece that completed nothing. Completes and
 * errors: with the source; errors also when a message grows beyond `MAX_MESSAGE_LENGTH`. [spec] HTML, 9.2: a message that is
 * not ended by an empty line is dropped at the end.
 */
export function parseMessages(bytes$: Observable<Uint8Array>): Observable<SseSignal> {
  return new Observable((subscriber) => {
    // The parser handles the byte order mark; the decoder must leave it there, and keeps split characters.
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    let whole = 0;
    const parser = createParser({
      maxBufferSize: MAX_MESSAGE_LENGTH,
      onEvent: (message) => {
        whole += 1;
        subscriber.next({ type: 'message', message });
      },
      onRetry: (ms) => {
        whole += 1;
        subscriber.next({ type: 'retry', ms });
      },
      onError: (error) => {
        // Unknown fields and bad retry times are to be ignored; a message without end is not.
        if (error.type === 'max-buffer-size-exceeded') subscriber.error(error);
      },
    });
    return bytes$.subscribe({
      next: (bytes) => {
        // A source that cannot be stopped at once must not feed a parser that has given up.
        if (subscriber.closed) return;
        const before = whole;
        parser.feed(decoder.decode(bytes, { stream: true }));
        if (whole === before) subscriber.next({ type: 'alive' });
      },
      error: (error: unknown) => subscriber.error(error),
      complete: () => subscriber.complete(),
    });
  });
}
