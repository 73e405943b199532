import * as E from 'fp-ts/lib/Either.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Mismatch } from '../../src/model/reader.ts';
import {
  isKnownStatus,
  isTerminal,
  KNOWN_STATUSES,
  readStatus,
  type V1TaskStatus,
  V1TaskStatusCodec,
} from '../../src/model/status.ts';

const unknownText = fc.string().filter((text) => !isKnownStatus(text) && !text.startsWith('UNKNOWN:'));

describe('status', () => {
  it.for(KNOWN_STATUSES)('%s reads as itself', (status) => {
    expect(readStatus(status)).toBe(status);
  });

  it('a text that is not known keeps its text, and is neither known nor terminal', () => {
    fc.assert(
      fc.property(unknownText, (text) => {
        const status = readStatus(text);
        expect(status).toBe(`UNKNOWN:${text}`);
        expect(isTerminal(status)).toBe(false);
        expect(isKnownStatus(status)).toBe(false);
      }),
    );
  });

  it.for(['completed', 'Failed', 'FAILED ', 'SUCCEEDED', 'EVICTED', ''])(
    '"%s" is not taken for a status that looks alike',
    (text) => {
      expect(readStatus(text)).toBe(`UNKNOWN:${text}`);
    },
  );

  it('exactly COMPLETED, CANCELLED and FAILED are terminal', () => {
    expect(KNOWN_STATUSES.filter(isTerminal)).toEqual(['COMPLETED', 'CANCELLED', 'FAILED']);
  });

  it.for([[undefined], [null], [3], [{}], [['FAILED']]])('%j is no status', ([value]) => {
    expect(() => readStatus(value)).toThrow(expect.any(Mismatch));
    expect(E.isLeft(V1TaskStatusCodec.decode(value))).toBe(true);
  });

  it('decoding what was encoded gives the same', () => {
    const status = fc.oneof(
      fc.constantFrom<V1TaskStatus>(...KNOWN_STATUSES),
      fc.string().map((text): V1TaskStatus => `UNKNOWN:${text}`),
    );
    fc.assert(
      fc.property(status, (value) => {
        expect(V1TaskStatusCodec.is(value)).toBe(true);
        expect(V1TaskStatusCodec.decode(V1TaskStatusCodec.encode(value))).toEqual(E.right(value));
      }),
    );
  });
});
