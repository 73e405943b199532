import * as fc from 'fast-check';
import { from, lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { MAX_MESSAGE_LENGTH, parseMessages, type SseSignal } from '../../src/sse/messages.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Cuts bytes at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...ends].map((start, index) => bytes.subarray(start, ends[index] ?? bytes.length));
}

async function messagesOf(pieces: readonly Uint8Array[]): Promise<SseSignal[]> {
  const signals = await lastValueFrom(parseMessages(from(pieces)).pipe(toArray()));
  return signals.filter(({ type }) => type !== 'alive');
}

const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replace(/[\r\n\0]/g, ''));
const message = fc.record({ id: line, event: line, data: fc.array(line, { minLength: 1, maxLength: 3 }) });
const lineEnd = fc.constantFrom('\n', '\r', '\r\n');

describe('parseMessages', () => {
  it('gives the same messages however the bytes are cut, whatever ends the lines', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { minLength: 1, maxLength: 5 }),
        lineEnd,
        fc.boolean(),
        fc.array(fc.nat(), { maxLength: 30 }),
        async (messages, end, withMark, places) => {
          const text = messages
            .map(({ id, event, data }) =>
              [`: comment`, `id: ${id}`, `event: ${event}`, ...data.map((part) => `data: ${part}`), '', ''].join(end),
            )
            .join('');
          // A lone CR at the very end could be half of a CRLF, so the last message waits for one more line.
          const bytes = encode(`${withMark ? '\uFEFF' : ''}${text}: end${end}`);
          const found = await messagesOf(cut(bytes, places));
          expect(found).toEqual(await messagesOf([bytes]));
          expect(found.map((signal) => (signal.type === 'message' ? signal.message.data : ''))).toEqual(
            messages.map(({ data }) => data.join('\n')),
          );
        },
      ),
    );
  });

  it('cut at every single byte, a message with characters of several bytes is whole', async () => {
    const bytes = encode('id: 1\nevent: chunk\ndata: {"text":"zażółć 🐓 日本"}\n\n');
    const whole = await messagesOf([bytes]);
    expect(whole).toHaveLength(1);
    for (let place = 0; place <= bytes.length; place += 1) {
      expect(await messagesOf([bytes.subarray(0, place), bytes.subarray(place)])).toEqual(whole);
    }
  });

  it('tells the retry time, and that comments are signs of life', async () => {
    const signals = await lastValueFrom(
      parseMessages(from([encode(': hello\n\n'), encode('retry: 250\n\n')])).pipe(toArray()),
    );
    expect(signals).toEqual([{ type: 'alive' }, { type: 'retry', ms: 250 }]);
  });

  it('drops a message that the end of the stream cuts off', async () => {
    expect(await messagesOf([encode('data: whole\n\ndata: half')])).toHaveLength(1);
  });

  it('errors rather than keep a message without end', async () => {
    const piece = encode(`data: ${'x'.repeat(MAX_MESSAGE_LENGTH / 4)}`);
    await expect(lastValueFrom(parseMessages(from([piece, piece, piece, piece, piece])))).rejects.toThrow('buffer');
  });
});
