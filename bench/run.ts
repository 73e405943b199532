// Runs the benchmarks and prints their table: npm run bench [-- --only=sweep,decode] [-- --json[=file]]
import { fork, spawnSync } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Row } from './lib/row.ts';

const NAMES = ['look-up', 'trigger', 'sweep', 'decode', 'import', 'waiters'] as const;

const root = fileURLToPath(new URL('..', import.meta.url));
const options = optionsOf(process.argv.slice(2));

build();
const rows: Row[] = [];
let failed = false;
for (const name of options.names) {
  const startedAt = performance.now();
  try {
    rows.push(...(await runInProcess(name)));
  } catch (error) {
    failed = true;
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  console.error(`${name}: ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`);
}

const machine = {
  node: process.version,
  cores: availableParallelism(),
  platform: `${process.platform} ${process.arch}`,
};
if (options.json === undefined) console.log(tableOf(rows));
else if (options.json === '') console.log(JSON.stringify({ machine, rows }, undefined, 2));
else writeFileSync(options.json, JSON.stringify({ machine, rows }));
process.exitCode = failed ? 1 : 0;

function optionsOf(parameters: readonly string[]): { names: readonly string[]; json: string | undefined } {
  // `--json` alone prints, `--json=file` writes; parseArgs knows only the one or the other.
  const alone = parameters.includes('--json');
  const { values } = parseArgs({
    args: parameters.filter((parameter) => parameter !== '--json'),
    options: { only: { type: 'string' }, json: { type: 'string' } },
  });
  const names = values.only?.split(',') ?? NAMES;
  const unknown = names.find((name) => !(NAMES as readonly string[]).includes(name));
  if (unknown !== undefined) throw new Error(`there is no benchmark "${unknown}"; there are ${NAMES.join(', ')}`);
  return { names, json: alone ? '' : values.json };
}

/** Builds what is measured, if it is older than its sources. */
function build(): void {
  const sources = readdirSync(`${root}/src`, { recursive: true, encoding: 'utf8' }).map(
    (file) => `${root}/src/${file}`,
  );
  const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  const output = statSync(`${root}/dist/index.js`, { throwIfNoEntry: false });
  if (output !== undefined && output.mtimeMs >= newest) return;
  console.error('Building …');
  const compiler = fileURLToPath(import.meta.resolve('typescript/lib/tsc.js'));
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(1);
}

/** Each benchmark has a process of its own, so that none inherits another's heap or compiled code. */
function runInProcess(name: string): Promise<readonly Row[]> {
  const file = fileURLToPath(new URL(`rows/${name}.ts`, import.meta.url));
  const entry = fileURLToPath(new URL('lib/row-process.ts', import.meta.url));
  return new Promise((resolve, reject) => {
    let answer: readonly Row[] | undefined;
    const child = fork(entry, [file], { execArgv: ['--import', 'tsx', '--expose-gc'] });
    child.once('message', (message) => {
      answer = message as readonly Row[];
    });
    child.once('exit', (code) => {
      if (code === 0 && answer !== undefined && answer.length > 0) resolve(answer);
      else reject(new Error(`the benchmark failed (exit code ${code})`));
    });
  });
}

function tableOf(rows: readonly Row[]): string {
  const { node, cores, platform } = machine;
  const verdict = ({ goal, met }: Row) => (goal === undefined ? '' : met === undefined ? '—' : met ? 'yes' : '**no**');
  return [
    '| row | against | goal | figure (quartiles; ours / theirs) | met |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row.row} | ${row.peer} | ${row.goal ?? ''} | ${row.figure} | ${verdict(row)} |`),
    '',
    `Node ${node}, ${cores} cores, ${platform}. Ratios are medians of pairs measured in turns; less is better.`,
  ].join('\n');
}
