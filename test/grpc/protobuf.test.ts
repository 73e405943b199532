import { describe, expect, it } from 'vitest';
import {
  getRunDetailsResponse,
  putStreamEventRequest,
  subscribeRequest,
  timestamp,
  workflowEvent,
} from '../../src/grpc/messages.ts';
import { int, mapOf, message, optional, string } from '../../src/grpc/protobuf.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

describe('the wire format', () => {
  const sample = message<{ text: string; number: number; maybe: number | undefined }>({
    text: string(1),
    number: int(2),
    maybe: optional(int(10)),
  });

  it('is that of the specification', () => {
    // [spec] The guide's own examples: field 1 as 150, and "testing".
    expect(hex(message<{ a: number }>({ a: int(1) }).encode({ a: 150 }))).toBe('089601');
    expect(hex(message<{ b: string }>({ b: string(2) }).encode({ b: 'testing' }))).toBe('120774657374696e67');
  });

  it('does not send defaults, but for fields with presence', () => {
    expect(hex(sample.encode({ text: '', number: 0, maybe: undefined }))).toBe('');
    expect(hex(sample.encode({ maybe: 0 }))).toBe('5000');
    expect(sample.decode(bytes(''))).toEqual({ text: '', number: 0, maybe: undefined });
    expect(sample.decode(bytes('5000')).maybe).toBe(0);
  });

  it('carries 64-bit numbers, negative ones too', () => {
    for (const number of [
      1,
      127,
      128,
      2 ** 28 - 1,
      2 ** 28,
      2 ** 31,
      2 ** 40 + 1,
      Number.MAX_SAFE_INTEGER,
      -1,
      -(2 ** 40),
    ]) {
      expect(sample.decode(sample.encode({ number })).number).toBe(number);
    }
    expect(hex(sample.encode({ number: -1 }))).toBe('10ffffffffffffffffff01');
  });

  it('passes over unknown fields of every kind, and known numbers of another kind', () => {
    const unknown = ['9a0603616263', 'a00601', 'a906ffffffffffffffff', 'b506ffffffff', '0801'].join('');
    expect(sample.decode(bytes(`${unknown}0a0161`)).text).toBe('a');
  });

  it('takes the last of repeated fields', () => {
    expect(sample.decode(bytes('0a01610a0162')).text).toBe('b');
  });

  it('refuses what is no message', () => {
    for (const broken of ['0a05', '08', '0b', 'ffffffffffffffffffffff01', '0a']) {
      expect(() => sample.decode(bytes(broken))).toThrow(RangeError);
    }
  });

  it('reads maps, with values left out', () => {
    const codec = message<{ map: ReadonlyMap<string, { a: number }> }>({ map: mapOf(1, message({ a: int(1) })) });
    const map = new Map([
      ['x', { a: 1 }],
      ['y', { a: 0 }],
    ]);
    expect(codec.decode(codec.encode({ map })).map).toEqual(map);
    expect(codec.decode(bytes('0a030a017a')).map).toEqual(new Map([['z', { a: 0 }]]));
  });
});

describe('the messages', () => {
  it('keep what an event carries', () => {
    const event = {
      workflowRunId: 'run',
      resourceType: 1,
      eventType: 6,
      resourceId: 'task',
      eventTimestamp: { seconds: 1_795_000_000, nanos: 123_000_000 },
      eventPayload: 'grüße 🙂',
      hangup: false,
      retryCount: undefined,
      eventIndex: 0,
    };
    expect(workflowEvent.decode(workflowEvent.encode(event))).toEqual(event);
    expect(timestamp.decode(timestamp.encode({ seconds: -1 })).seconds).toBe(-1);
  });

  it('read an absent payload as empty text, and an absent index as none', () => {
    expect(workflowEvent.decode(workflowEvent.encode({ workflowRunId: 'run' }))).toMatchObject({
      eventPayload: '',
      eventIndex: undefined,
      hangup: false,
    });
  });

  it('say which events to subscribe to', () => {
    expect(hex(subscribeRequest.encode({ additionalMetaKey: 'k', additionalMetaValue: 'v' }))).toBe('12016b1a0176');
  });

  it('put an empty chunk', () => {
    expect(hex(putStreamEventRequest.encode({ taskRunExternalId: 't', message: new Uint8Array(0) }))).toBe('0a0174');
  });

  it('read a run', () => {
    const taskRuns = new Map([['first', { externalId: 'id', status: 2 }]]);
    const additionalMetadata = new TextEncoder().encode('{"a":"b"}');
    const encoded = getRunDetailsResponse.encode({ status: 2, done: true, taskRuns, additionalMetadata });
    expect(getRunDetailsResponse.decode(encoded)).toMatchObject({ status: 2, done: true, taskRuns });
  });
});
