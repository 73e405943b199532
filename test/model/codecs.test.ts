import * as fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import * as t from 'io-ts';
import { describe, expect, it } from 'vitest';
import { problemOf, shorten } from '../../src/model/decoder.ts';
import {
  type V1TaskEvent,
  V1TaskEventCodec,
  type V1TaskSummary,
  V1TaskSummaryCodec,
  type V1WorkflowRunDetails,
  V1WorkflowRunDetailsCodec,
} from '../../src/model/run.ts';
import { KNOWN_STATUSES, type V1TaskStatus } from '../../src/model/status.ts';
import { recordings } from './support/recordings.ts';

const time = fc.date({
  min: new Date('1970-01-01T00:00:00Z'),
  max: new Date('9999-12-31T00:00:00Z'),
  noInvalidDate: true,
});
const status = fc.oneof(
  fc.constantFrom<V1TaskStatus>(...KNOWN_STATUSES),
  fc.string().map((text): V1TaskStatus => `UNKNOWN:${text}`),
);
/** What JSON can hold: no -0, no NaN. */
const json = fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const payload = fc.dictionary(fc.string(), json) as fc.Arbitrary<V1TaskSummary['output']>;
const count = fc.nat();

const flat = {
  metadata: fc.record({ id: fc.uuid(), createdAt: time, updatedAt: time }, { requiredKeys: ['id', 'createdAt'] }),
  status,
  displayName: fc.string(),
  taskExternalId: fc.uuid(),
  taskId: count,
  tenantId: fc.uuid(),
  workflowId: fc.uuid(),
  workflowRunExternalId: fc.uuid(),
  type: fc.constantFrom('DAG' as const, 'TASK' as const),
  input: payload,
  output: payload,
  numSpawnedChildren: count,
  additionalMetadata: payload,
};
const more = {
  attempt: count,
  retryCount: count,
  createdAt: time,
  startedAt: time,
  finishedAt: time,
  duration: count,
  errorMessage: fc.string(),
  isDurable: fc.boolean(),
};
const requiredKeys = Object.keys(flat) as (keyof typeof flat)[];
const step: fc.Arbitrary<V1TaskSummary> = fc.record({ ...flat, ...more }, { requiredKeys });
const summary: fc.Arbitrary<V1TaskSummary> = fc.record(
  { ...flat, ...more, children: fc.array(step, { maxLength: 3 }) },
  { requiredKeys },
);
const event: fc.Arbitrary<V1TaskEvent> = fc.record(
  { id: count, taskId: fc.uuid(), timestamp: time, eventType: fc.string(), message: fc.string(), retryCount: count },
  { requiredKeys: ['id', 'taskId', 'timestamp', 'eventType', 'message'] },
);

/** Decodes what was encoded, as it would travel. */
const travelled = <A>(codec: t.Type<A, unknown>, value: A) =>
  codec.decode(JSON.parse(JSON.stringify(codec.encode(value))) as unknown);

describe('codecs', () => {
  it('V1TaskSummary: decoding what was encoded gives an equal value', () => {
    fc.assert(
      fc.property(summary, (value) => {
        expect(travelled(V1TaskSummaryCodec, value)).toEqual(E.right(value));
      }),
    );
  });

  it('V1TaskEvent: decoding what was encoded gives an equal value', () => {
    fc.assert(
      fc.property(event, (value) => {
        expect(travelled(V1TaskEventCodec, value)).toEqual(E.right(value));
      }),
    );
  });

  it('V1WorkflowRunDetails: decoding what was encoded gives an equal value, for every recording', () => {
    const details = recordings.filter(({ name, status }) => name.endsWith('-details') && status === 200);
    expect(details.length).toBeGreaterThan(15);
    for (const { body } of details) {
      const decoded = V1WorkflowRunDetailsCodec.decode(body);
      const again = E.chain((value: V1WorkflowRunDetails) => travelled(V1WorkflowRunDetailsCodec, value))(decoded);
      expect(E.isRight(decoded)).toBe(true);
      expect(again).toEqual(decoded);
    }
  });

  it('encoding writes what JSON can hold: dates as text, nothing for what is absent', () => {
    fc.assert(
      fc.property(summary, (value) => {
        const encoded = V1TaskSummaryCodec.encode(value);
        expect(JSON.parse(JSON.stringify(encoded))).toEqual(encoded);
        expect(encoded).toHaveProperty(['metadata', 'createdAt'], value.metadata.createdAt.toISOString());
      }),
    );
  });

  it('decoding never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        for (const codec of [V1TaskSummaryCodec, V1WorkflowRunDetailsCodec, V1TaskEventCodec]) {
          expect(['Left', 'Right']).toContain(codec.decode(value)._tag);
        }
      }),
    );
  });

  it('they compose with io-ts, and its reports name the place', () => {
    const two = t.type({ first: V1TaskSummaryCodec, second: V1TaskSummaryCodec });
    const good = { metadata: { id: 'x', createdAt: '2026-11-23T20:26:11Z' }, status: 'RUNNING' };
    const decoded = two.decode({ first: good, second: { ...good, metadata: { createdAt: good.metadata.createdAt } } });
    expect(E.isLeft(decoded) ? problemOf(decoded.left) : decoded).toEqual({
      path: 'second.metadata.id',
      expected: 'a string',
      got: 'undefined',
    });
  });
});

describe('problemOf', () => {
  it('reads the first of an io-ts error list', () => {
    const decoded = t.type({ a: t.type({ b: t.number }) }).decode({ a: { b: 'x' } });
    expect(E.isLeft(decoded) ? problemOf(decoded.left) : decoded).toEqual({
      path: 'a.b',
      expected: 'number',
      got: '"x"',
    });
  });

  it('makes a text of whatever another decoder leaves', () => {
    expect(problemOf('no good')).toEqual({ path: '', expected: 'a valid value', got: '"no good"' });
    expect(problemOf(new Error('x'))).toMatchObject({ path: '', expected: 'a valid value' });
    expect(problemOf([])).toMatchObject({ path: '' });
    expect(problemOf(undefined)).toMatchObject({ got: 'undefined' });
  });

  it('any value is shown in at most 100 characters, without throwing', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(shorten(value).length).toBeLessThanOrEqual(100);
      }),
    );
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    expect(shorten(circular)).toBe('object');
    expect(shorten(1n)).toBe('bigint');
    expect(shorten('x'.repeat(1_000))).toHaveLength(100);
  });
});
