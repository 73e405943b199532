// What a program pays for an import, against the official SDK: whole processes, both installed as a user would.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { duration, times } from '../lib/contest.ts';
import { type Bench, check, type Row } from '../lib/row.ts';
import { median, quantile } from '../lib/statistics.ts';

const GOAL = 0.4;
const ROUNDS = 11;
const SDK = '@hatchet-dev/typescript-sdk';
const PEERS = ['rxjs', 'io-ts', 'fp-ts', 'undici'];

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** One process that imports a package, or nothing. */
interface Start {
  readonly wallMs: number;
  readonly importMs: number;
  readonly bytes: number;
}

const importBench: Bench = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hatchet-rx-bench-'));
  try {
    const version = await install(folder);
    if (version === undefined) {
      const figure = `skipped: ${SDK} cannot be installed here`;
      return [{ row: 'import of `hatchet-rx`, time and memory', peer: `\`${SDK}\``, goal: `≤ ${times(GOAL)}`, figure }];
    }
    return await measure(folder, `\`${SDK}\` ${version}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** Installs both; gives the SDK's version, or nothing when it cannot be had. */
async function install(folder: string): Promise<string | undefined> {
  const npm = (...parameters: readonly string[]) =>
    run('npm', [...parameters, '--loglevel=error', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder });
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  const { stdout } = await npm('pack', root, '--json');
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  // The versions that the project is tested with.
  const peers = await Promise.all(PEERS.map(async (name) => `${name}@${await versionIn(root, name)}`));
  try {
    await npm('install', '--prefer-offline', `./${filename}`, ...peers, SDK);
  } catch {
    return undefined;
  }
  return versionIn(folder, SDK);
}

async function versionIn(folder: string, name: string): Promise<string> {
  const text = await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function measure(folder: string, peer: string): Promise<readonly Row[]> {
  const start = async (name: string | undefined, exported: string): Promise<Start> => {
    const load = name === undefined ? `{ ${exported}: 1 }` : `await import(${JSON.stringify(name)})`;
    const program = `
      const startedAt = performance.now();
      const loaded = ${load};
      const importMs = performance.now() - startedAt;
      const { maxRSS } = process.resourceUsage();
      console.log(JSON.stringify({ there: loaded.${exported} !== undefined, importMs, bytes: maxRSS * 1024 }));`;
    const startedAt = performance.now();
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], { cwd: folder });
    const wallMs = performance.now() - startedAt;
    const { there, importMs, bytes } = JSON.parse(stdout) as { there: boolean; importMs: number; bytes: number };
    check(there, `${name} has no ${exported}`);
    return { wallMs, importMs, bytes };
  };

  const starts: { readonly ours: Start; readonly sdk: Start; readonly empty: Start }[] = [];
  for (let round = -1; round < ROUNDS; round += 1) {
    const ours = await start('hatchet-rx', 'createHatchet');
    const sdk = await start(SDK, 'Hatchet');
    const empty = await start(undefined, 'nothing');
    // The first round reads the files from the disk.
    if (round >= 0) starts.push({ ours, sdk, empty });
  }

  const row = (
    what: string,
    of: (start: Start, empty: Start) => number,
    text: (value: number) => string,
    goal: number | undefined,
  ): Row => {
    const ours = starts.map((round) => of(round.ours, round.empty));
    const sdk = starts.map((round) => of(round.sdk, round.empty));
    const empty = starts.map((round) => of(round.empty, round.empty));
    const ratios = ours.map((value, index) => value / (sdk[index] ?? Number.NaN));
    const ratio = median(ratios);
    const nothing = median(empty) > 0 ? `; an empty process ${text(median(empty))}` : '';
    return {
      row: `import of \`hatchet-rx\`, ${what}`,
      peer,
      ...(goal === undefined ? {} : { goal: `≤ ${times(goal)}`, met: ratio <= goal }),
      figure:
        `**${times(ratio)}** (${times(quantile(ratios, 0.25))}–${times(quantile(ratios, 0.75))}; ` +
        `${text(median(ours))} / ${text(median(sdk))}${nothing})`,
      samples: { ours, sdk, empty, ratios },
    };
  };
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  return [
    row('time of the import', ({ importMs }, empty) => importMs - empty.importMs, duration, GOAL),
    row('memory above an empty process', ({ bytes }, empty) => bytes - empty.bytes, megabytes, GOAL),
    row('whole process, time', ({ wallMs }) => wallMs, duration, GOAL),
    row('whole process, memory', ({ bytes }) => bytes, megabytes, undefined),
  ];
}

export default importBench;
