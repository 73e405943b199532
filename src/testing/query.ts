import { parseMicros } from './clock.ts';

/** A request the server refuses: 400 with `{"message"}`. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

/** The query of a request, read as the server binds it; every reader throws {@link BadRequest} on what it would refuse. */
export interface Query {
  integer(name: string): number | undefined;
  flag(name: string): boolean | undefined;
  micros(name: string): number | undefined;
  text(name: string): string | undefined;
  uuid(name: string): string | undefined;
  uuids(name: string): string[] | undefined;
  list(name: string): string[];
}

const refuse = (name: string, reason: string): BadRequest =>
  new BadRequest(`Invalid format for parameter ${name}: ${reason}`);

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Why `text` is no uuid, in the server's words; undefined when it is one. */
export const uuidFault = (text: string): string | undefined => {
  if (UUID.test(text)) return undefined;
  return text.length === 36 ? 'invalid UUID format' : `invalid UUID length: ${new TextEncoder().encode(text).length}`;
};

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

// [hatchet] Go drops a query of more parameters altogether
const MOST_PARAMETERS = 10_000;

/** The parameters of a raw query (without `?`). */
export const parseQuery = (raw: string): URLSearchParams => {
  if (raw.length > MOST_PARAMETERS && raw.split('&').length > MOST_PARAMETERS) return new URLSearchParams();
  return new URLSearchParams(raw);
};

const timeFault = (text: string): string => {
  const prefix = `error parsing '${text}' as RFC3339 or 2006-01-02 time: parsing time "${text}"`;
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const rest = text.slice(10);
    if (parseMicros(text.slice(0, 10)) !== undefined) return `${prefix}: extra text: "${rest}"`;
    return `${prefix}: ${Number(text.slice(5, 7)) > 12 ? 'month' : 'day'} out of range`;
  }
  return `${prefix} as "2006-01-02": cannot parse "${text}" as "2006"`;
};

/** Binds the parameters of one request. */
export const createQuery = (params: URLSearchParams): Query => {
  const single = (name: string): string | undefined => {
    const values = params.getAll(name);
    // [hatchet] a repeated scalar is refused
    if (values.length > 1) throw refuse(name, `multiple values for single value parameter '${name}'`);
    return values[0];
  };
  return {
    integer(name) {
      const text = single(name);
      if (text === undefined) return undefined;
      const fail = (why: string): BadRequest =>
        refuse(name, `error binding string parameter: strconv.ParseInt: parsing "${text}": ${why}`);
      if (!/^[+-]?\d+$/.test(text)) throw fail('invalid syntax');
      const value = Number(text);
      if (Math.abs(value) >= 2 ** 63) throw fail('value out of range');
      return value;
    },
    flag(name) {
      const text = single(name);
      if (text === undefined) return undefined;
      if (TRUE.has(text)) return true;
      if (FALSE.has(text)) return false;
      throw refuse(name, `error binding string parameter: strconv.ParseBool: parsing "${text}": invalid syntax`);
    },
    micros(name) {
      const text = single(name);
      // [hatchet] an empty time counts as none
      if (text === undefined || text === '') return undefined;
      const value = parseMicros(text);
      if (value === undefined) throw refuse(name, timeFault(text));
      return value;
    },
    text: single,
    uuid(name) {
      const text = single(name);
      if (text === undefined) return undefined;
      const why = uuidFault(text);
      if (why !== undefined) throw refuse(name, `error unmarshaling '${text}' text as *uuid.UUID: ${why}`);
      return text.toLowerCase();
    },
    uuids(name) {
      if (!params.has(name)) return undefined;
      return params.getAll(name).map((text) => {
        const why = uuidFault(text);
        if (why === undefined) return text.toLowerCase();
        throw refuse(name, `error setting array element: error unmarshaling '${text}' text as *uuid.UUID: ${why}`);
      });
    },
    list: (name) => params.getAll(name),
  };
};

/** A parameter that must be there. */
export const required = <A>(name: string, value: A | undefined): A => {
  if (value === undefined) throw refuse(name, `query parameter '${name}' is required`);
  return value;
};
