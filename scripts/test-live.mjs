// Runs the contract suite against a real Hatchet server, whose workers come from the official TypeScript SDK.
// The SDK is installed into .tmp/live (ignored by git) when it is missing; it is never a dependency of the project.
import { fork, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SDK = '@hatchet-dev/typescript-sdk';
const SDK_VERSION = '1.33.2';
const READY_WITHIN_MS = 60_000;

const root = fileURLToPath(new URL('..', import.meta.url));
const home = join(root, '.tmp', 'live');
const onWindows = process.platform === 'win32';

if (!process.env.HATCHET_CLIENT_TOKEN) {
  console.error(
    [
      'HATCHET_CLIENT_TOKEN is not set: `npm run test:live` needs a real Hatchet server.',
      '  HATCHET_CLIENT_TOKEN         an API token of a tenant for tests (the suite triggers, cancels and replays runs)',
      '  HATCHET_CLIENT_SERVER_URL    the REST API, where the address in the token does not fit',
      '  HATCHET_CLIENT_HOST_PORT     the gRPC API (for the workers), likewise',
      '  HATCHET_CLIENT_TLS_STRATEGY  "none" for a server without TLS',
      'Without a server, `npm test` runs the same suite against the embedded engine.',
    ].join('\n'),
  );
  process.exit(1);
}

installSdk();
const worker = await startWorker();
const code = await runTests();
await stopWorker(worker);
process.exit(code);

function installSdk() {
  const manifest = join(home, 'node_modules', SDK, 'package.json');
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === SDK_VERSION) return;
  console.log(`Installing ${SDK}@${SDK_VERSION} into .tmp/live …`);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'package.json'), '{ "private": true, "type": "module" }\n');
  const { status } = spawnSync(
    onWindows ? 'npm.cmd' : 'npm',
    ['install', `${SDK}@${SDK_VERSION}`, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: home, stdio: 'inherit', shell: onWindows },
  );
  if (status !== 0) process.exit(status ?? 1);
}

/** Starts the worker's process, and waits until its workflows are registered. */
async function startWorker() {
  copyFileSync(join(root, 'scripts', 'live', 'worker.mjs'), join(home, 'worker.mjs'));
  const output = [];
  const child = fork(join(home, 'worker.mjs'), {
    cwd: home,
    // The workflows' names are fixed; a namespace of the surroundings would rename them.
    env: { ...process.env, HATCHET_CLIENT_NAMESPACE: '' },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  // It is shown only when the worker fails: it logs each failing task of the suite.
  const keep = (chunk) => {
    output.push(String(chunk));
    if (output.length > 1_000) output.shift();
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const failure = await new Promise((resolve) => {
    const timer = setTimeout(() => resolve(`is not ready after ${READY_WITHIN_MS} ms`), READY_WITHIN_MS);
    child.once('message', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
    child.once('exit', (status) => {
      clearTimeout(timer);
      resolve(`ended with status ${status}`);
    });
  });
  if (failure !== undefined) {
    console.error(`${output.join('')}\nThe worker ${failure}.`);
    child.kill('SIGKILL');
    process.exit(1);
  }
  return child;
}

/** Stops the worker; it leaves by itself when the pipe to it closes, also when this script is killed. */
function stopWorker(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.disconnect();
  });
}

function runTests() {
  return new Promise((resolve) => {
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const child = spawn(process.execPath, [vitest, 'run', 'test/contract/live.test.ts', ...process.argv.slice(2)], {
      cwd: root,
      env: { ...process.env, HATCHET_RX_LIVE: 'required' },
      stdio: 'inherit',
    });
    child.once('exit', (status) => resolve(status ?? 1));
  });
}
