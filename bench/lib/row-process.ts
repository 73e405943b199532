// The process of one benchmark: imports the file it is given, runs it, and tells what came out.
import { pathToFileURL } from 'node:url';
import { type Bench, check } from './row.ts';

check(import.meta.resolve('hatchet-rx').endsWith('/dist/index.js'), 'the benchmarks measure the built package');
check(globalThis.gc !== undefined, 'the benchmarks need --expose-gc');

const file = process.argv[2] ?? '';
const { default: bench } = (await import(pathToFileURL(file).href)) as { readonly default: Bench };
const rows = await bench();
process.send?.(rows);
process.disconnect?.();
