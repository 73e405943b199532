import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What an entry reaches by its imports at run time. */
export interface Graph {
  /** Modules of the package, as absolute paths; the entry first. */
  readonly modules: readonly string[];
  /** Everything else that is imported, by its specifier, in alphabetical order. */
  readonly packages: readonly string[];
}

/** What `#transport` leads to, as in the package's `imports`. */
const TRANSPORT: Readonly<Record<string, string>> = {
  default: 'undici-transport.js',
  browser: 'fetch-transport.js',
};

/** Follows the static imports of built modules. */
export async function graphOf(entry: string, condition: string): Promise<Graph> {
  const modules = new Set<string>();
  const packages = new Set<string>();
  const open = [entry];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (modules.has(path)) continue;
    modules.add(path);
    for (const { specifier } of importsIn(await readFile(path, 'utf8'))) {
      if (specifier.startsWith('.')) open.push(join(dirname(path), specifier));
      else if (specifier === '#transport') open.push(join(dirname(entry), 'http', TRANSPORT[condition] ?? ''));
      else packages.add(specifier);
    }
  }
  return { modules: [...modules], packages: [...packages].toSorted() };
}

/** What a module imports. */
export interface Import {
  readonly specifier: string;
  /** Only its types: nothing is left of it at run time. */
  readonly isType: boolean;
}

/** All imports and re-exports in a module. */
export function importsIn(source: string): Import[] {
  const statement =
    /^(?:import|export)\b([^'"`;]*?)from\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;
  return [...source.matchAll(statement)].map(([, clause = '', from, bare, dynamic]) => ({
    specifier: from ?? bare ?? dynamic ?? '',
    isType: /^\s*type\s/.test(clause),
  }));
}
