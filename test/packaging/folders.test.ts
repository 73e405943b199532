import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { importsIn } from './graph.ts';
import { ROOT } from './workspace.ts';

/** What the modules of each folder of src may import: other folders, modules of src itself, and packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  model: ['error', 'io-ts', 'fp-ts'],
  error: ['model'],
  operators: ['error', 'rxjs', 'fp-ts'],
  'diagnostics.ts': ['error'],
  http: ['model', 'error', 'operators', 'diagnostics.ts', 'rxjs', 'undici'],
  sse: ['model', 'error', 'operators', 'http', 'events', 'diagnostics.ts', 'rxjs', 'eventsource-parser'],
  events: ['model', 'error', 'operators', 'http', 'sse', 'diagnostics.ts', 'rxjs'],
  'config.ts': ['model', 'error', 'http', 'events', 'diagnostics.ts'],
  runs: ['model', 'error', 'operators', 'http', 'events', 'diagnostics.ts', 'config.ts', 'rxjs'],
  'client.ts': [
    'model',
    'error',
    'operators',
    'http',
    'runs',
    'events',
    'config.ts',
    'internals.ts',
    '#transport',
    'rxjs',
  ],
  'index.ts': ['model', 'error', 'operators', 'http', 'runs', 'events', 'diagnostics.ts', 'config.ts', 'client.ts'],
  grpc: [
    'model',
    'error',
    'operators',
    'http',
    'events',
    'runs',
    'config.ts',
    'diagnostics.ts',
    'rxjs',
    '@grpc',
    'node:',
  ],
  worker: ['events'],
  'internals.ts': ['runs'],
  gateway: ['model', 'error', 'http', 'runs', 'config.ts', 'client.ts', 'internals.ts', 'rxjs', 'jose', 'node:'],
  // The engine imitates the server on its own; only what it streams goes through the gateway's hub.
  testing: ['model', 'events', 'gateway', 'rxjs', 'node:'],
};

interface Dependency {
  readonly from: string;
  /** A path below src, or a package. */
  readonly to: string;
  readonly isType: boolean;
}

const SRC = join(ROOT, 'src');
let imports: readonly Dependency[];

beforeAll(async () => {
  const paths = (await readdir(SRC, { recursive: true })).filter((path) => path.endsWith('.ts'));
  const all = await Promise.all(
    paths.map(async (path) =>
      importsIn(await readFile(join(SRC, path), 'utf8')).map(({ specifier, isType }) => ({
        from: path,
        to: specifier.startsWith('.') ? relative(SRC, join(SRC, path, '..', specifier)) : specifier,
        isType,
      })),
    ),
  );
  imports = all.flat();
});

/** The folder of a module of src, its name if it lies in src itself; of a package, its name. */
function placeOf(path: string): string {
  if (path.startsWith('node:')) return 'node:';
  return path.split('/')[0] ?? '';
}

describe('src', () => {
  it('has only folders whose place is decided', () => {
    expect([...new Set(imports.map(({ from }) => placeOf(from)))].filter((place) => !(place in MAY_IMPORT))).toEqual(
      [],
    );
  });

  it.each(Object.entries(MAY_IMPORT))('%s imports only %j', (place, allowed) => {
    const wrong = imports
      .filter(({ from, to }) => placeOf(from) === place && placeOf(to) !== place && !allowed.includes(placeOf(to)))
      .map(({ from, to }) => `${from} imports ${to}`);
    expect(wrong).toEqual([]);
  });

  it('imports undici in one module only', () => {
    const places = imports.filter(({ to }) => to === 'undici').map(({ from }) => from);
    expect([...new Set(places)]).toEqual(['http/undici-transport.ts']);
  });

  it('imports the public faces of its dependencies', () => {
    const faces =
      /^(rxjs|undici|io-ts|fp-ts\/lib\/[A-Za-z]+\.js|eventsource-parser|jose|@grpc\/grpc-js|#transport|node:[a-z/]+)$/;
    const wrong = imports.filter(({ to }) => !to.endsWith('.ts') && !faces.test(to));
    expect(wrong).toEqual([]);
  });

  it('goes round in no circle at run time', () => {
    const next = new Map<string, Dependency[]>();
    for (const one of imports.filter(({ isType }) => !isType)) next.set(one.from, [...(next.get(one.from) ?? []), one]);
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (path: string, trail: readonly string[]) => {
      if (trail.includes(path)) {
        circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
        return;
      }
      if (done.has(path)) return;
      for (const { to } of next.get(path) ?? []) visit(to, [...trail, path]);
      done.add(path);
    };
    for (const path of next.keys()) visit(path, []);
    expect(circles).toEqual([]);
  });
});
