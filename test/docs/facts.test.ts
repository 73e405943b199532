import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../packaging/workspace.ts';
import { readDocument } from './programs.ts';

const README = await readDocument('README.md');

/** The names of what an interface of the sources declares. */
async function membersOf(path: string, name: string, member: RegExp): Promise<string[]> {
  const source = await readDocument(path);
  const [, body = ''] = new RegExp(String.raw`export interface ${name} \{([^]*?)\n\}`).exec(source) ?? [];
  return [...new Set([...body.matchAll(member)].map(([, found = '']) => found))];
}

const METHOD = /^ {2}(\w+)[(<]/gm;
const PROPERTY = /^ {2}readonly (\w+)\??:/gm;

function section(from: string, to: string): string {
  return README.slice(README.indexOf(from), README.indexOf(to));
}

describe('the README', () => {
  it('names every operation of the client, and no other', async () => {
    const operations = await membersOf('src/runs/runs-client.ts', 'RunsClient', METHOD);
    const rows = section('## Operations', '## Errors')
      .split('\n')
      .filter((line) => line.startsWith('|'));
    const cells = rows.map((row) => row.split(' | ')[1] ?? '');
    const named = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)\(/g)].map(([, name = '']) => name));

    expect(operations.length).toBeGreaterThan(20);
    expect([...new Set(named)].toSorted()).toEqual(operations.toSorted());
  });

  it('names every option of the client', async () => {
    const options = await membersOf('src/config.ts', 'HatchetOptions', PROPERTY);
    const text = section('### On a real Hatchet', '### In a browser');

    expect(options.length).toBeGreaterThan(8);
    expect(options.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  it('names every filter', async () => {
    const fields = await membersOf('src/model/filter.ts', 'RunFilter', PROPERTY);
    const text = section('## Operations', '## Errors');

    expect(fields.length).toBeGreaterThan(10);
    expect(fields.filter((name) => !text.includes(`\`${name}\``) && !text.includes(`\`${name}:`))).toEqual([]);
  });
});

describe.each(['README.md', 'CHANGELOG.md', 'docs/guide.md', 'docs/embedded-engine.md'])('%s', (path) => {
  it('leads only to what is there', async () => {
    const text = await readDocument(path);
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target = '']) => target);
    const missing = await Promise.all(
      links.map(async (link) => {
        const isThere = await access(join(ROOT, path, '..', link)).then(
          () => true,
          () => false,
        );
        return isThere ? [] : [link];
      }),
    );
    expect(missing.flat()).toEqual([]);
  });
});
