import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../packaging/workspace.ts';

/** A whole program in a document: a block of `js` whose first line is its file's name. */
export interface Program {
  readonly file: string;
  readonly text: string;
  /** What the document says that it prints: the block without a language that follows at once, if there is one. */
  readonly output: string | undefined;
}

/** A part of a program in a document: a block of `ts`. */
export interface Fragment {
  /** Where the block begins in the document. */
  readonly line: number;
  readonly text: string;
}

export function readDocument(path: string): Promise<string> {
  return readFile(join(ROOT, path), 'utf8');
}

export function programsIn(markdown: string): Program[] {
  const block = /^```js\n(\/\/ (\S+\.mjs)\n[^]*?)^```\n(?:\n```\n([^]*?)^```$)?/gm;
  return [...markdown.matchAll(block)].map(([, text = '', file = '', output]) => ({ file, text, output }));
}

export function fragmentsIn(markdown: string): Fragment[] {
  return [...markdown.matchAll(/^```ts\n([^]*?)^```$/gm)].map((match) => ({
    line: markdown.slice(0, match.index).split('\n').length + 1,
    text: match[1] ?? '',
  }));
}
