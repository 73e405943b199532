import { readFileSync } from 'node:fs';

/** The body of an answer that was recorded from a real server. */
export function recorded(name: string): unknown {
  const file = new URL(`../../test/fixtures/rest/${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly body: unknown }).body;
}
