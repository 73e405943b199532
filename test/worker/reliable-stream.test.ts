import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAssembler } from '../../src/events/assembler.ts';
import { readMark, writeMark } from '../../src/events/stream-mark.ts';
import { reliableStream } from '../../src/worker/index.ts';
import { splitText } from '../../src/worker/split-text.ts';

/** A context that keeps what is put. */
function context(retryCount?: number | (() => number)) {
  const put: string[] = [];
  return {
    put,
    retryCount,
    async putStream(text: string) {
      await new Promise((resolve) => {
        setTimeout(resolve, put.length % 2);
      });
      put.push(text);
    },
  };
}

const opening = writeMark({ type: 'opening', retryCount: 0 });
const closing = (count: number) => writeMark({ type: 'closing', count, retryCount: 0 });

describe('reliableStream', () => {
  it('puts the chunks between marks, one after the other, also when nobody waits', async () => {
    const ctx = context(0);
    {
      await using stream = reliableStream(ctx, { settleMs: 1 });
      void stream.write('a');
      void stream.write('b');
      void stream.write('c');
    }
    expect(ctx.put).toEqual([opening, 'a', 'b', 'c', closing(4)]);
  });

  it('settles before close resolves, and closes once', async () => {
    const ctx = context(() => 0);
    const stream = reliableStream(ctx, { settleMs: 80 });
    const startedAt = performance.now();
    await Promise.all([stream.close(), stream.close()]);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(78);
    expect(ctx.put).toEqual([closing(0)]);
    await expect(stream.write('late')).rejects.toThrow('closed');
  });

  it('cuts long texts on character boundaries', async () => {
    const ctx = context();
    const stream = reliableStream(ctx, { settleMs: 0 });
    await stream.write('🙂'.repeat(2_000));
    await stream.write('');
    await stream.close();
    const texts = ctx.put.slice(1, -1);
    expect(texts.map((text) => Buffer.byteLength(text))).toEqual([4_000, 4_000]);
    expect(texts.join('')).toBe('🙂'.repeat(2_000));
  });

  it('counts a chunk that was refused, so that the loss shows, and tells its writer', async () => {
    const ctx = context(0);
    const refusing = {
      retryCount: 0,
      putStream: (text: string) => (text === 'b' ? Promise.reject(new Error('refused')) : ctx.putStream(text)),
    };
    const stream = reliableStream(refusing, { settleMs: 0 });
    await stream.write('a');
    await expect(stream.write('b')).rejects.toThrow('refused');
    await stream.write('c');
    await stream.close();
    expect(ctx.put).toEqual([opening, 'a', 'c', closing(4)]);
  });

  it('does not hide the error of its task when it cannot be closed', async () => {
    const ctx = { putStream: () => Promise.reject(new Error('cancelled')) };
    const task = async () => {
      await using stream = reliableStream(ctx);
      await stream.write('a').catch(() => undefined);
      throw new Error('of the task');
    };
    await expect(task()).rejects.toThrow('of the task');
  });

  it('is one per context, with bounds', () => {
    const ctx = context();
    reliableStream(ctx);
    expect(() => reliableStream(ctx)).toThrow(TypeError);
    expect(() => reliableStream(context(), { settleMs: -1 })).toThrow(RangeError);
    expect(() => reliableStream(context(), { maxBytes: 4_001 })).toThrow(RangeError);
  });

  it('lets the reader verify that all is there, and keeps the marks away from it', async () => {
    const ctx = context(0);
    const stream = reliableStream(ctx, { settleMs: 0 });
    for (const text of ['a', 'b', 'c']) await stream.write(text);
    await stream.close();
    const assembler = createAssembler({ runId: 'run', late: false, holeMs: 2_000 });
    const events = ctx.put.flatMap((text, index) =>
      assembler.chunk({ taskRunId: 'run', index, text, timeUs: index }, index),
    );
    expect(events).toMatchObject([
      { text: 'a', index: 0 },
      { text: 'b', index: 1 },
      { text: 'c', index: 2 },
    ]);
    const tasks = [{ taskRunId: 'run', status: 'COMPLETED' as const }];
    const end = assembler.finish({ status: 'COMPLETED', time: new Date(), tasks });
    expect(end.at(-1)).toMatchObject({ tail: 'verified' });
  });
});

describe('marks', () => {
  it('are read as they were written, and nothing else is one', () => {
    const number = fc.integer({ min: 0, max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(number, fc.option(number, { nil: undefined }), (count, retryCount) => {
        const known = retryCount === undefined ? {} : { retryCount };
        expect(readMark(writeMark({ type: 'closing', count, ...known }))).toEqual({ type: 'closing', count, ...known });
        expect(readMark(writeMark({ type: 'opening', ...known }))).toEqual({ type: 'opening', ...known });
      }),
    );
    for (const text of ['', 'text', '\u2063', '\u2063\u2063', '\u2063a\u2063', `${closing(1)}.`]) {
      expect(readMark(text)).toBeUndefined();
    }
  });

  it('are invisible', () => {
    expect(opening + closing(100)).toMatch(/^\p{Default_Ignorable_Code_Point}+$/u);
  });
});

describe('splitText', () => {
  it('loses nothing, cuts no character, and keeps the bound', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.integer({ min: 4, max: 30 }), (text, maxBytes) => {
        const pieces = splitText(text, maxBytes);
        expect(pieces.join('')).toBe(text);
        const halves = /\p{Surrogate}/u;
        for (const piece of pieces) {
          expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(maxBytes);
          // No half of a character at either end, unless it was there before.
          expect(halves.test(piece) && !halves.test(text)).toBe(false);
        }
      }),
    );
  });
});
