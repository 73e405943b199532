import { isObject } from './json.ts';
import { BadRequest } from './query.ts';

/** Index after the first JSON object or list of `text`; undefined when it does not end. */
const endOfValue = (text: string): number | undefined => {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (inString) {
      if (char === '\\') index += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') {
      depth -= 1;
      if (depth === 0) return index + 1;
    }
  }
  return undefined;
};

/** What a parser's complaint is called in Go; the number is where it was found, counted from 1. */
const syntaxFault = (text: string, message: string): BadRequest => {
  const position = Number(/position (\d+)/.exec(message)?.[1] ?? text.search(/\S/));
  if (position >= text.trimEnd().length) return new BadRequest('unexpected EOF');
  const where = message.includes("':'")
    ? 'after object key'
    : message.includes("',' or '}'")
      ? 'after object key:value pair'
      : message.includes('property name')
        ? 'looking for beginning of object key string'
        : 'looking for beginning of value';
  return new BadRequest(
    `Syntax error: offset=${position + 1}, error=invalid character '${text[position] ?? ''}' ${where}`,
  );
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const end = endOfValue(text);
    // [hatchet] what follows the first value is not looked at
    if (end !== undefined && end < text.trimEnd().length) return parse(text.slice(0, end));
    if (/end of JSON|Unterminated/.test(message)) throw new BadRequest('unexpected EOF');
    throw syntaxFault(text, message);
  }
};

/** What a request carries as its body. */
export type Body =
  | { readonly kind: 'none' }
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'object'; readonly fields: Readonly<Record<string, unknown>>; readonly text: string };

const NAMELESS = new Set(['application/x-www-form-urlencoded', 'application/xml', 'text/xml']);

/** Reads a body as the server binds it. */
export const readBody = (text: string, contentType: string | undefined): Body => {
  if (text === '') return { kind: 'none' };
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  // [hatchet] forms and XML are accepted, but none of its fields has a name the server binds
  if (NAMELESS.has(type)) return { kind: 'object', fields: {}, text };
  if (type === 'multipart/form-data') {
    if (!text.startsWith('--')) throw new BadRequest('multipart: NextPart: EOF');
    return { kind: 'object', fields: {}, text };
  }
  if (type !== 'application/json') return { kind: 'unsupported' };
  const value = parse(text);
  if (value === null) return { kind: 'none' };
  if (!isObject(value)) throw typeFault('object', value, '', Array.isArray(value) ? 1 : text.trim().length);
  return { kind: 'object', fields: value, text };
};

const goKind = (value: unknown): string => {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' && !Number.isInteger(value)) return `number ${value}`;
  return typeof value;
};

const typeFault = (expected: string, value: unknown, field: string, offset: number): BadRequest =>
  new BadRequest(`Unmarshal type error: expected=${expected}, got=${goKind(value)}, field=${field}, offset=${offset}`);

/** How far the decoder has read when it finds the wrong kind: past a scalar, or past the first sign of the rest. */
const offsetOf = (body: Fields, field: string, value: unknown): number => {
  const match = new RegExp(`"${field}"\\s*:\\s*`).exec(body.text);
  if (match === null) return 1;
  const start = match.index + match[0].length;
  return typeof value === 'object' ? start + 1 : start + JSON.stringify(value).length;
};

interface Fields {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** A field that must be of one kind when it is there; null counts as absent. */
const fieldOf = <A>(
  body: Fields,
  field: string,
  expected: string,
  is: (value: unknown) => value is A,
): A | undefined => {
  const value = body.fields[field];
  if (value === undefined || value === null) return undefined;
  if (!is(value)) throw typeFault(expected, value, field, offsetOf(body, field, value));
  return value;
};

const isText = (value: unknown): value is string => typeof value === 'string';
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';
const isInteger = (value: unknown): value is number => Number.isInteger(value);
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);

/** Text field. */
export const textField = (body: Fields, field: string): string | undefined => fieldOf(body, field, 'string', isText);
/** Boolean field. */
export const flagField = (body: Fields, field: string): boolean | undefined => fieldOf(body, field, 'bool', isFlag);
/** Whole number field. */
export const integerField = (body: Fields, field: string): number | undefined => fieldOf(body, field, 'int', isInteger);
/** Object field. */
export const objectField = (body: Fields, field: string): Record<string, unknown> | undefined =>
  fieldOf(body, field, 'map[string]interface {}', isObject);
/** List-of-texts field. */
export const textsField = (body: Fields, field: string): string[] | undefined =>
  fieldOf(body, field, field === 'externalIds' ? '[]uuid.UUID' : '[]string', isTexts);
