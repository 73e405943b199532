import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, retryAfterMs } from '../../src/http/retry-policy.ts';

const policy = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 100 }),
  baseDelayMs: fc.integer({ min: 1, max: 10_000 }),
  maxDelayMs: fc.integer({ min: 1, max: 100_000 }),
});
const attempt = fc.integer({ min: 1, max: 5_000 });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('backoffMs', () => {
  it('is at least 0 and below the ceiling of the attempt and of the policy', () => {
    fc.assert(
      fc.property(policy, attempt, random, (given, n, luck) => {
        const pause = backoffMs(given, n, () => luck);
        expect(pause).toBeGreaterThanOrEqual(0);
        expect(pause).toBeLessThanOrEqual(given.maxDelayMs);
        expect(pause).toBeLessThanOrEqual(given.baseDelayMs * 2 ** (n - 1));
      }),
    );
  });

  it('has full jitter: any share of the ceiling, and the ceiling doubles until it is the highest', () => {
    fc.assert(
      fc.property(policy, attempt, random, (given, n, luck) => {
        const ceiling = backoffMs(given, n, () => 1);
        expect(backoffMs(given, n, () => luck)).toBeCloseTo(luck * ceiling);
        expect(ceiling).toBe(Math.min(given.maxDelayMs, given.baseDelayMs * 2 ** Math.min(n - 1, 30)));
        expect(backoffMs(given, n + 1, () => 1)).toBeGreaterThanOrEqual(ceiling);
      }),
    );
  });

  it('the ceilings of the default policy', () => {
    const ceilings = [1, 2, 3, 4, 7, 50].map((n) =>
      backoffMs({ maxAttempts: 4, baseDelayMs: 100, maxDelayMs: 5_000 }, n, () => 1),
    );
    expect(ceilings).toEqual([100, 200, 400, 800, 5_000, 5_000]);
  });
});

describe('retryAfterMs', () => {
  const now = Date.UTC(2026, 10, 23, 20, 0, 0);

  it('seconds', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000_000 }), fc.constantFrom('', ' '), (seconds, blank) => {
        expect(retryAfterMs(`${blank}${seconds}${blank}`, now)).toBe(seconds * 1_000);
      }),
    );
  });

  it('a date to come, to the second; one that is past is now', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 100_000 }), (seconds) => {
        const header = new Date(now + seconds * 1_000).toUTCString();
        expect(retryAfterMs(header, now)).toBe(Math.max(0, seconds * 1_000));
      }),
    );
  });

  it.for([undefined, '', 'soon', 'later today'])('%s says nothing', (header) => {
    expect(retryAfterMs(header, now)).toBeUndefined();
  });

  it('is never negative, whatever the header', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect(retryAfterMs(header, now) ?? 0).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
