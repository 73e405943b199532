import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ok, run, stagePackage, type TempFolder, tool } from '../packaging/workspace.ts';
import { fragmentsIn, type Program, programsIn, readDocument } from './programs.ts';

const README = await readDocument('README.md');
const programs = programsIn(README);

/** A built copy of the package, whose programs import it by its own name: what a clone is after `npm install`. */
let clone: TempFolder;

beforeAll(async () => {
  clone = await stagePackage();
  await ok(process.execPath, [tool('typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--noCheck'], clone.path);
}, 120_000);

afterAll(() => clone[Symbol.asyncDispose]());

/** The lines of an output. A run may wait for a worker, and then shows `QUEUED` first. */
function linesOf(output: string): string[] {
  return output.split('\n').filter((line) => line !== '' && line !== 'QUEUED');
}

/** What a line of the README stands for: `…` is any text. */
function pattern(line: string): RegExp {
  const escaped = line.split('…').map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
  return new RegExp(`^${escaped.join('.*')}$`);
}

async function execute({ file, text }: Program) {
  // In a folder of its own, so that no two programs meet.
  const folder = join(clone.path, 'pasted', file);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, file), text);
  return run(process.execPath, [join(folder, file)], folder);
}

describe('the README', () => {
  it('has its programs, and shows what each prints', () => {
    const files = ['first.mjs', 'typed.mjs', 'list.mjs', 'bulk.mjs', 'pipeline.mjs', 'app.test.mjs'];
    expect(programs.map(({ file }) => file)).toEqual(files);
    const silent = programs.filter(({ output }) => output === undefined).map(({ file }) => file);
    expect(silent).toEqual(['app.test.mjs']);
    // No block of code is left out because its form was not recognised.
    expect(README.match(/^```js$/gm)).toHaveLength(programs.length);
  });

  it.each(programs.map((program) => [program.file, program] as const))('%s does what it says', async (_, program) => {
    const { code, stdout, stderr } = await execute(program);
    const printed = linesOf(stdout);
    const shown = program.output === undefined ? printed.map(() => /./) : linesOf(program.output).map(pattern);

    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(printed).toEqual(shown.map((line) => expect.stringMatching(line) as unknown));
  });

  it('and the guide have pieces of code that compile', { timeout: 60_000 }, async () => {
    const guide = await readDocument('docs/guide.md');
    const fragments = fragmentsIn(guide);
    expect(fragments.length).toBeGreaterThan(8);

    const pieces = fragments.map(({ line, text }) => `async function line${line}() {\n${text}\n}\nvoid line${line};`);
    await writeFile(join(clone.path, 'guide.ts'), [PRELUDE, ...pieces].join('\n'));
    const config = {
      extends: './tsconfig.json',
      // Against the declarations that are published; what a piece declares need not be used.
      compilerOptions: {
        customConditions: [],
        noUnusedLocals: false,
        skipLibCheck: true,
        isolatedDeclarations: false,
        declaration: false,
      },
      include: ['guide.ts'],
    };
    await writeFile(join(clone.path, 'tsconfig.guide.json'), JSON.stringify(config));
    const { stdout } = await run(
      process.execPath,
      [tool('typescript/bin/tsc'), '-p', 'tsconfig.guide.json'],
      clone.path,
    );
    expect(stdout).toBe('');
  });
});

/** What the pieces of the guide assume, beside what the guide says itself. */
const PRELUDE = `
  import { asEither, createHatchet, eachValue, type HatchetError, type HttpTransport, type JsonObject, type WorkflowRunRef } from 'hatchet-rx';
  import { catchError, filter, fromEvent, map, of, retry, switchMap, takeUntil, throwError } from 'rxjs';
  const { runs } = createHatchet();
  const runId = '';
`;
