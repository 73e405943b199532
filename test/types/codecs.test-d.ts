import type { Either } from 'fp-ts/lib/Either.js';
import * as t from 'io-ts';
import { describe, expectTypeOf, it } from 'vitest';
import {
  type Codec,
  type Decoded,
  type Decoder,
  isTerminal,
  type KnownTaskStatus,
  type V1TaskEvent,
  type V1TaskEventCodec,
  type V1TaskStatus,
  type V1TaskStatusCodec,
  type V1TaskSummary,
  type V1TaskSummaryCodec,
  type V1WorkflowRunDetails,
  type V1WorkflowRunDetailsCodec,
} from 'hatchet-rx';

describe('codecs of io-ts', () => {
  it('fit, by structure', () => {
    const point = t.type({ x: t.number });
    expectTypeOf(point).toExtend<Codec<{ x: number }>>();
    expectTypeOf(point).toExtend<Decoder<{ x: number }>>();
    expectTypeOf(t.union([t.string, t.null])).toExtend<Decoder<string | null>>();
    expectTypeOf<t.Type<Date, string, unknown>>().toExtend<Codec<Date>>();
    expectTypeOf<Either<t.Errors, number>>().toExtend<Decoded<number>>();
  });

  it('fit only for their type', () => {
    expectTypeOf(t.string).not.toExtend<Decoder<number>>();
    expectTypeOf<Decoder<string>>().not.toExtend<Codec<string>>();
  });

  it('a decoder of one’s own fits', () => {
    const own: Decoder<number> = {
      decode: (value) => (typeof value === 'number' ? { _tag: 'Right', right: value } : { _tag: 'Left', left: 'no' }),
    };
    expectTypeOf(own.decode(1)).toEqualTypeOf<Decoded<number>>();
  });
});

describe('the codecs of the model', () => {
  it('are those of its interfaces', () => {
    expectTypeOf<t.TypeOf<typeof V1TaskSummaryCodec>>().toEqualTypeOf<V1TaskSummary>();
    expectTypeOf<t.TypeOf<typeof V1WorkflowRunDetailsCodec>>().toEqualTypeOf<V1WorkflowRunDetails>();
    expectTypeOf<t.TypeOf<typeof V1TaskEventCodec>>().toEqualTypeOf<V1TaskEvent>();
    expectTypeOf<t.TypeOf<typeof V1TaskStatusCodec>>().toEqualTypeOf<V1TaskStatus>();
  });
});

describe('V1TaskStatus', () => {
  it('is the known ones and what is explicitly unknown', () => {
    expectTypeOf<KnownTaskStatus>().toEqualTypeOf<'QUEUED' | 'RUNNING' | 'COMPLETED' | 'CANCELLED' | 'FAILED'>();
    expectTypeOf<V1TaskStatus>().toEqualTypeOf<KnownTaskStatus | `UNKNOWN:${string}`>();
    expectTypeOf<'PAUSED'>().not.toExtend<V1TaskStatus>();
    expectTypeOf<string>().not.toExtend<V1TaskStatus>();
  });

  it('isTerminal narrows to the three ends', () => {
    const status = 'RUNNING' as V1TaskStatus;
    if (isTerminal(status)) expectTypeOf(status).toEqualTypeOf<'COMPLETED' | 'CANCELLED' | 'FAILED'>();
    else expectTypeOf(status).toEqualTypeOf<'QUEUED' | 'RUNNING' | `UNKNOWN:${string}`>();
  });
});
