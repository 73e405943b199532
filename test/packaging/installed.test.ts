import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build, type BuildOptions, type Metafile } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphOf } from './graph.ts';
import { ok, ROOT, run, stagePackage, type TempFolder, tempFolder, tool } from './workspace.ts';

/** A project that has installed the packed tarball, and nothing else. */
let project: TempFolder;
let files: readonly string[];
let manifest: Manifest;

/** What the published package says of itself. */
interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, object>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

beforeAll(async () => {
  project = await tempFolder('project');
  await using stage = await stagePackage();
  // The types are checked by `npm run typecheck`, and once more below, as a consumer sees them.
  await ok(process.execPath, [tool('typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--noCheck'], stage.path);
  const [packed] = JSON.parse(await ok('npm', ['pack', '--json', '--ignore-scripts'], stage.path)) as [
    { readonly filename: string; readonly files: readonly { readonly path: string }[] },
  ];
  files = packed.files.map(({ path }) => path);
  await write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  const quietly = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  manifest = JSON.parse(await readFile(join(stage.path, 'package.json'), 'utf8')) as Manifest;
  await ok('npm', ['install', join(stage.path, packed.filename), ...quietly], project.path);
}, 120_000);

afterAll(() => project[Symbol.asyncDispose]());

async function write(name: string, text: string): Promise<string> {
  const path = join(project.path, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

const installed = (path: string) => join(project.path, 'node_modules/hatchet-rx', path);

/** Triggers a run on an engine and prints its output: the whole way through both entries. */
const TRIGGER_A_RUN = `
  const engine = await startEngine();
  engine.workflow('double', ({ n }) => ({ doubled: n * 2 }));
  const hatchet = createHatchet({ token: engine.token });
  console.log(await firstValueFrom(hatchet.runs.trigger('double', { n: 21 }).pipe(switchMap((run) => run.result$))));
  await hatchet.close();
  await engine.close();`;

describe('the tarball', () => {
  it('holds what is published and nothing else', () => {
    const kinds = new Set(
      files.map((path) => path.replace(/\/.*/, '/').replace(/^dist\/$|^src\/$/, (folder) => folder)),
    );
    expect([...kinds].toSorted()).toEqual(['LICENSE', 'README.md', 'dist/', 'package.json', 'src/']);
    const unexpected = files.filter((path) => !/^(src\/.*\.ts|dist\/.*\.(js|d\.ts)(\.map)?|[^/]+)$/.test(path));
    expect(unexpected).toEqual([]);
  });

  it('has the source of every source map', async () => {
    const maps = files.filter((path) => path.endsWith('.map'));
    expect(maps.length).toBeGreaterThan(0);
    const missing = await Promise.all(
      maps.map(async (path) => {
        const { sources } = JSON.parse(await readFile(installed(path), 'utf8')) as {
          readonly sources: readonly string[];
        };
        return sources.map((source) => join(dirname(path), source)).filter((source) => !files.includes(source));
      }),
    );
    expect(missing.flat()).toEqual([]);
  });

  it('needs nothing at run time but what it names', () => {
    expect(Object.keys(manifest.dependencies).toSorted()).toEqual(['eventsource-parser', 'undici']);
    const optional = Object.keys(manifest.peerDependenciesMeta);
    const peers = Object.keys(manifest.peerDependencies).filter((name) => !optional.includes(name));
    expect(peers.toSorted()).toEqual(['fp-ts', 'io-ts', 'rxjs']);
    expect(optional.toSorted()).toEqual(['@grpc/grpc-js', 'jose']);
  });

  it('holds every entry that it names', () => {
    const entries = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    );
    const missing = entries.filter((path) => !files.includes(path.replace('./', '')));
    expect(missing).toEqual([]);
  });
});

describe('on Node', () => {
  it('is imported by ES modules', async () => {
    const script = await write(
      'esm.mjs',
      `import { createHatchet } from 'hatchet-rx';
       import { startEngine } from 'hatchet-rx/testing';
       import { firstValueFrom, switchMap } from 'rxjs';
       ${TRIGGER_A_RUN}`,
    );
    expect(await ok(process.execPath, [script], project.path)).toBe('{ doubled: 42 }\n');
  });

  it('is required by CommonJS, as the same module', async () => {
    const script = await write(
      'cjs.cjs',
      `const { createHatchet, isHatchetError } = require('hatchet-rx');
       const { startEngine } = require('hatchet-rx/testing');
       const { firstValueFrom, switchMap } = require('rxjs');
       (async () => {
         ${TRIGGER_A_RUN}
         console.log((await import('hatchet-rx')).isHatchetError === isHatchetError);
       })();`,
    );
    expect(await ok(process.execPath, [script], project.path)).toBe('{ doubled: 42 }\ntrue\n');
  });

  it('keeps its files to itself', async () => {
    const deep = ['dist/index.js', 'dist/runs/list.js', 'src/index.ts', 'runs', 'testing/engine', 'transport'];
    const script = await write(
      'deep.mjs',
      `for (const path of ${JSON.stringify(deep)}) {
         console.log(await import('hatchet-rx/' + path).then(() => path, (error) => error.code));
       }`,
    );
    const codes = (await ok(process.execPath, [script], project.path)).trim().split('\n');
    expect(codes).toEqual(deep.map(() => 'ERR_PACKAGE_PATH_NOT_EXPORTED'));
  });

  it('exports what is documented', async () => {
    const list = `console.log(JSON.stringify(Object.keys(await import('hatchet-rx')).sort()))`;
    const names = JSON.parse(await ok(process.execPath, ['--input-type=module', '-e', list], project.path)) as string[];
    expect(names.filter((name) => !name.endsWith('Error') && !name.endsWith('Codec'))).toEqual([
      'TRIGGER_TAG',
      'asEither',
      'createHatchet',
      'defineWorkflow',
      'eachValue',
      'isTerminal',
    ]);
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const errors = names.filter((name) => /^[A-Z].*Error$/.test(name));
    expect(errors.filter((name) => !readme.includes(`| \`${name}\` |`))).toEqual([]);
  });
});

describe('for TypeScript', () => {
  const CONSUMER = `
    import { asEither, createHatchet, defineWorkflow, type HatchetError, matchError, type V1TaskSummary } from 'hatchet-rx';
    import * as t from 'io-ts';
    import { map, type Observable, switchMap } from 'rxjs';

    const { runs } = createHatchet({ token: async () => 'token', serverUrl: 'http://localhost' });
    const summarize = defineWorkflow({ name: 'summarize', input: t.type({ url: t.string }), output: t.type({ text: t.string }) });
    export const texts: Observable<string> = runs.trigger(summarize, { url: '' }).pipe(
      switchMap((run) => run.result$),
      map(({ text }) => text),
    );
    export const rows: Observable<V1TaskSummary> = runs.listWithPagination({ statuses: ['FAILED'], since: new Date(0) });
    export const either = runs.getStatus('').pipe(asEither());
    export const retryable = (error: HatchetError): boolean => error.retryable;
    // @ts-expect-error the input is checked
    runs.trigger(summarize, { uri: '' });
    // @ts-expect-error a selection is required
    runs.bulkCancel({});
    // @ts-expect-error handlers are missing
    matchError(undefined as unknown as HatchetError, { ConfigError: () => 1 });
  `;
  const STRICT = {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    target: 'es2022',
  };

  async function check(name: string, text: string, options: object): Promise<string> {
    await write(`${name}/index.ts`, text);
    const config = { compilerOptions: { ...STRICT, ...options }, include: ['index.ts'] };
    const path = await write(`${name}/tsconfig.json`, JSON.stringify(config));
    return (await run(process.execPath, [tool('typescript/bin/tsc'), '-p', path], project.path)).stdout;
  }

  it('types a Node program, both entries, libraries checked too', { timeout: 60_000 }, async () => {
    const testing = `
      import { type Engine, startEngine } from 'hatchet-rx/testing';
      export const engine: Promise<Engine> = startEngine({ seed: 1, visibilityDelayMs: [0, 1] });
      void engine.then((it) => it.faults.add({ kind: 'drop', times: 1, match: { operation: 'trigger' } }));`;
    const types = { types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] };
    expect(await check('nodenext', CONSUMER + testing, { module: 'nodenext', lib: ['es2022'], ...types })).toBe('');
  });

  it('types a browser program without any of Node', { timeout: 60_000 }, async () => {
    const options = {
      module: 'esnext',
      moduleResolution: 'bundler',
      lib: ['es2022', 'dom', 'dom.iterable'],
      types: [],
    };
    expect(await check('browser', CONSUMER, options)).toBe('');
  });
});

describe('for bundlers', () => {
  const PROGRAM = `
    import { createHatchet } from 'hatchet-rx';
    import { firstValueFrom, switchMap } from 'rxjs';
    export const double = (token, n) => firstValueFrom(
      createHatchet({ token }).runs.trigger('double', { n }).pipe(switchMap((run) => run.result$)));`;

  async function bundle(
    name: string,
    source: string,
    options: BuildOptions,
  ): Promise<{ text: string; meta: Metafile }> {
    const entry = await write(`bundle/${name}.js`, source);
    const outfile = join(project.path, 'bundle', `${name}.out.mjs`);
    const { metafile } = await build({
      entryPoints: [entry],
      outfile,
      bundle: true,
      format: 'esm',
      metafile: true,
      minify: true,
      logLevel: 'silent',
      ...options,
    });
    return { text: await readFile(outfile, 'utf8'), meta: metafile ?? { inputs: {}, outputs: {} } };
  }

  const inputsOf = ({ inputs }: Metafile) => Object.keys(inputs).join('\n');

  it.each([
    ['browser', { platform: 'browser' }],
    ['worker', { platform: 'neutral', conditions: ['worker', 'module', 'import'], mainFields: ['module', 'main'] }],
  ] satisfies [string, BuildOptions][])(
    'under the %s condition there is no undici and no Node',
    async (name, options) => {
      // A platform without Node: any import of one of its modules would end the build with an error.
      const { text, meta } = await bundle(name, PROGRAM, options);

      expect(inputsOf(meta)).toContain('hatchet-rx/dist/http/fetch-transport.js');
      expect(inputsOf(meta)).not.toMatch(/undici|testing|grpc/);
      expect(text).not.toMatch(/["']node:/);
    },
  );

  it('the browser bundle works, over fetch', async () => {
    await bundle('works', PROGRAM, { platform: 'browser' });
    const script = await write(
      'bundle/works.mjs',
      `import { startEngine } from 'hatchet-rx/testing';
       import { double } from './works.out.mjs';
       const engine = await startEngine();
       engine.workflow('double', ({ n }) => ({ doubled: n * 2 }));
       console.log(await double(engine.token, 4), engine.requests[0].headers['user-agent']);
       await engine.close();`,
    );
    // Node's own fetch, which says what it is.
    expect(await ok(process.execPath, [script], project.path)).toBe('{ doubled: 8 } node\n');
  });

  it('by default, on Node, there is undici', async () => {
    const { meta } = await bundle('node', PROGRAM, { platform: 'node', packages: 'bundle', external: ['undici'] });

    expect(inputsOf(meta)).toContain('hatchet-rx/dist/http/undici-transport.js');
    expect(inputsOf(meta)).not.toContain('fetch-transport');
    expect(meta.outputs[Object.keys(meta.outputs)[0] ?? '']?.imports).toContainEqual(
      expect.objectContaining({ path: 'undici' }),
    );
  });

  it('what is not used is not bundled', async () => {
    const small = await bundle('small', `export { isHatchetError, matchError } from 'hatchet-rx';`, {
      platform: 'browser',
    });
    const whole = await bundle('whole', PROGRAM, { platform: 'browser', external: ['rxjs', 'fp-ts', 'io-ts'] });

    expect(small.text.length).toBeLessThan(1_000);
    expect(small.text).not.toContain('HATCHET_CLIENT_TOKEN');
    // The whole client, minified, without its peers: a budget, so that growth is noticed.
    expect(whole.text.length).toBeLessThan(80_000);
  });
});

describe('the import graph of dist', () => {
  it.each([
    ['default', ['eventsource-parser', 'rxjs', 'undici']],
    ['browser', ['eventsource-parser', 'rxjs']],
  ])('of hatchet-rx, %s condition', async (condition, needed) => {
    const { modules, packages } = await graphOf(installed('dist/index.js'), condition);

    expect(modules.some((path) => path.includes('/dist/testing/'))).toBe(false);
    expect(packages.filter((name) => name.startsWith('node:'))).toEqual([]);
    expect(packages.filter((name) => !/^(io-ts|fp-ts\/lib\/[A-Za-z]+\.js)$/.test(name))).toEqual(needed);
  });

  it('of hatchet-rx/testing', async () => {
    const { modules, packages } = await graphOf(installed('dist/testing/index.js'), 'default');

    // The engine shares no code with the client, whose faults it must not have; only its streams go through the gateway's hub.
    expect(modules.filter((path) => !/\/dist\/(testing|gateway|events)\//.test(path))).toEqual([]);
    expect(packages).toContain('node:http');
    expect(packages.filter((name) => !name.startsWith('node:') && name !== 'rxjs')).toEqual([]);
  });
});
