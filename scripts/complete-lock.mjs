// Names the platform packages of native tools in the lockfile that npm has left out.
//
// npm drops an optional package from package-lock.json when the registry at hand does not carry it, as mirrors for one
// platform do; `npm ci` then refuses the lockfile everywhere. `npm run lock` ends with this.
import { readFileSync, writeFileSync } from 'node:fs';

const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8'));
const systems = /android|darwin|freebsd|linux|openharmony|win32/;
const processors = /arm64|arm(?=-|$)|x64|ia32|ppc64|riscv64|s390x/;

for (const [where, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (`node_modules/${name}` in lock.packages || `${where}/node_modules/${name}` in lock.packages) continue;
    const [os] = systems.exec(name.split('/').at(-1)) ?? [];
    const [cpu] = processors.exec(name.split('/').at(-1)) ?? [];
    if (os === undefined || cpu === undefined) continue;
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(dev ? { dev: true } : {}),
      optional: true,
      os: [os],
    };
  }
}

const [root, ...others] = Object.entries(lock.packages);
lock.packages = Object.fromEntries([root, ...others.sort(([a], [b]) => a.localeCompare(b, 'en'))]);
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
