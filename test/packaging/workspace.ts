import { execFile, type ExecFileException } from 'node:child_process';
import { cp, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that is tested. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));

/** A folder that is gone after the test. */
export interface TempFolder extends AsyncDisposable {
  readonly path: string;
}

export async function tempFolder(name: string): Promise<TempFolder> {
  const path = await realpath(await mkdtemp(join(tmpdir(), `hatchet-rx-${name}-`)));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** What a package is built and packed from. */
const SOURCES = ['package.json', 'README.md', 'LICENSE', 'src', 'tsconfig.json', 'tsconfig.build.json'];

/**
 * A copy of the package beside the checkout, to build and pack in: other tests, and people at work, may be using the
 * checkout's own `dist`.
 */
export async function stagePackage(): Promise<TempFolder> {
  const folder = await tempFolder('stage');
  try {
    for (const name of SOURCES) await cp(join(ROOT, name), join(folder.path, name), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'), 'junction');
    return folder;
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

/** What a program printed. */
export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, without the variables that would lead it to a real server. */
export function run(command: string, args: readonly string[], cwd: string): Promise<Output> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(HATCHET_|NODE_OPTIONS|VITEST)/.test(name)),
  );
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
    execFile(command, [...args], { cwd, env, timeout: 120_000, maxBuffer: 2 ** 26 }, done);
  });
}

/** Runs a program that must succeed, and gives what it printed. */
export async function ok(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}

/** The path of a tool of the checkout that Node can run. */
export function tool(path: string): string {
  return join(ROOT, 'node_modules', path);
}
