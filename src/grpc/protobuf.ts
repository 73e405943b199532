/**
 * The part of the protocol buffers wire format that Hatchet's run events need: a message is a table of its fields.
 * [spec] https://protobuf.dev/programming-guides/encoding
 */

/** Encodes and decodes one kind of message. */
export interface Codec<M> {
  encode(message: Partial<M>): Uint8Array;
  /** Fields that the message does not know are passed over. Throws `RangeError` for bytes that are no message. */
  decode(bytes: Uint8Array): M;
}

/** How one field goes over the wire. */
export interface Field<T> {
  readonly id: number;
  readonly wireType: number;
  /** What a message without the field reads as. */
  readonly absent: T;
  readonly write: (writer: Writer, value: T) => void;
  /** `before` is the value so far: the last one wins, lists and maps grow. */
  readonly read: (reader: Reader, before: T) => T;
}

type Fields<M> = { readonly [K in keyof M]-?: Field<M[K]> };

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A codec for the message with these fields. */
export function message<M extends object>(fields: Fields<M>): Codec<M> {
  const entries = Object.entries(fields) as [keyof M, Field<unknown>][];
  const byId = new Map(entries.map((entry) => [entry[1].id, entry]));
  const blank = Object.fromEntries(entries.map(([name, field]) => [name, field.absent])) as M;
  return {
    encode(value) {
      const writer = new Writer();
      for (const [name, field] of entries) {
        const item: unknown = value[name];
        // Without presence, a default is not sent; with it, `undefined` is not.
        if (item === undefined || (item === field.absent && field.absent !== undefined)) continue;
        field.write(writer, item);
      }
      return writer.bytes();
    },
    decode(bytes) {
      const reader = new Reader(bytes);
      const result = { ...blank } as Record<keyof M, unknown>;
      while (!reader.done) {
        const tag = reader.varint();
        const wireType = Number(tag & 7n);
        const entry = byId.get(Number(tag >> 3n));
        if (entry === undefined || entry[1].wireType !== wireType) reader.skip(wireType);
        else result[entry[0]] = entry[1].read(reader, result[entry[0]]);
      }
      return result as M;
    },
  };
}

/** A `string`. */
export const string = (id: number): Field<string> => ({
  id,
  wireType: BYTES,
  absent: '',
  write: (writer, value) => writer.chunk(id, utf8.encode(value)),
  read: (reader) => text.decode(reader.chunk()),
});

/** `bytes`. */
export const bytes = (id: number): Field<Uint8Array> => ({
  id,
  wireType: BYTES,
  absent: NOTHING,
  write: (writer, value) => {
    if (value.length > 0) writer.chunk(id, value);
  },
  read: (reader) => reader.chunk(),
});

/** An `int32`, `int64` or enum, exact up to 2^53. */
export const int = (id: number): Field<number> => ({
  id,
  wireType: VARINT,
  absent: 0,
  write: (writer, value) => {
    writer.tag(id, VARINT);
    writer.varint(BigInt.asUintN(64, BigInt(value)));
  },
  read: (reader) => Number(BigInt.asIntN(64, reader.varint())),
});

/** A `bool`. */
export const bool = (id: number): Field<boolean> => ({
  id,
  wireType: VARINT,
  absent: false,
  write: (writer, value) => {
    writer.tag(id, VARINT);
    writer.varint(value ? 1n : 0n);
  },
  read: (reader) => reader.varint() !== 0n,
});

/** A field with presence: `undefined` when it is not there, and sent even when it is a default. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    ...field,
    absent: undefined,
    write: (writer, value) => {
      if (value !== undefined) field.write(writer, value);
    },
    read: (reader, before) => field.read(reader, before ?? field.absent),
  };
}

/** A message within a message. */
export const nested = <M>(id: number, codec: Codec<M>): Field<M | undefined> => ({
  id,
  wireType: BYTES,
  absent: undefined,
  write: (writer, value) => {
    if (value !== undefined) writer.chunk(id, codec.encode(value));
  },
  read: (reader) => codec.decode(reader.chunk()),
});

/** A `map<string, …>` of messages. */
export function mapOf<M>(id: number, codec: Codec<M>): Field<ReadonlyMap<string, M>> {
  const entry = message<{ key: string; value: M | undefined }>({ key: string(1), value: nested(2, codec) });
  return {
    id,
    wireType: BYTES,
    absent: new Map(),
    write: (writer, value) => {
      for (const [key, item] of value) writer.chunk(id, entry.encode({ key, value: item }));
    },
    read: (reader, before) => {
      const { key, value } = entry.decode(reader.chunk());
      return new Map(before).set(key, value ?? codec.decode(NOTHING));
    },
  };
}

const NOTHING: Uint8Array = new Uint8Array(0);
const utf8 = new TextEncoder();
const text = new TextDecoder();

class Writer {
  readonly #bytes: number[] = [];

  tag(id: number, wireType: number): void {
    this.varint(BigInt(id * 8 + wireType));
  }

  varint(value: bigint): void {
    let rest = value;
    while (rest > 0x7fn) {
      this.#bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#bytes.push(Number(rest));
  }

  chunk(id: number, content: Uint8Array): void {
    this.tag(id, BYTES);
    this.varint(BigInt(content.length));
    for (const byte of content) this.#bytes.push(byte);
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(content: Uint8Array) {
    this.#bytes = content;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let low = 0;
    // Nearly all numbers here fit into 28 bits; big ones are rare and take the slow way.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      low += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number that is longer than ten bytes');
  }

  chunk(): Uint8Array {
    const length = Number(this.varint());
    return this.#take(length);
  }

  skip(wireType: number): void {
    if (wireType === VARINT) this.varint();
    else if (wireType === FIXED64) this.#take(8);
    else if (wireType === BYTES) this.chunk();
    else if (wireType === FIXED32) this.#take(4);
    else throw new RangeError(`a field of the unknown wire type ${wireType}`);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new RangeError('the message ends in the middle of a field');
    this.#at += 1;
    return byte;
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('the message ends in the middle of a field');
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
}
