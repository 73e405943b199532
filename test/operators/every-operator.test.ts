import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** What a test of an operator must show; the names of its tests begin so. */
const CASES = [
  'never',
  'empty',
  'one',
  'many',
  'error',
  'synchronous source',
  'early unsubscribe',
  're-subscription',
] as const;

/** Files that do not work on a stream of values, and why; their tests name what they do. */
const NO_STREAM: Readonly<Record<string, string>> = { 'demand.ts': 'a side channel between paginate and eachValue' };

const source = new URL('../../src/operators/', import.meta.url);
const files = readdirSync(source).filter((name) => name.endsWith('.ts'));

describe('every operator is tested', () => {
  it('there are operators', () => {
    expect(files.length).toBeGreaterThan(5);
  });

  it.for(files)('%s', (name) => {
    const test = readFileSync(new URL(name.replace(/\.ts$/, '.test.ts'), import.meta.url), 'utf8');
    expect(test).toContain(`src/operators/${name}`);
    const usesTime = /\b(timer|interval|delay|timeout|debounceTime|setTimeout)\b/.test(
      readFileSync(new URL(name, source), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''),
    );
    const wanted = [...(name in NO_STREAM ? [] : CASES), ...(usesTime ? ['no timer left'] : [])];
    const missing = wanted.filter(
      (title) => !new RegExp(`(it|itInMarbles|describe)\\(\\s*(['"\`])${title}`).test(test),
    );
    expect(missing).toEqual([]);
  });
});
