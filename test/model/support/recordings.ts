import { readdirSync, readFileSync } from 'node:fs';

/** A real answer of a real server, with the request that it answers. */
export interface Recording {
  readonly name: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly query?: readonly (readonly [string, string])[];
    readonly body?: unknown;
  };
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

const folder = new URL('../../fixtures/rest/', import.meta.url);

/** All recordings, by name. */
export const recordings: readonly Recording[] = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .sort()
  .map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Recording);

/** One recording. */
export function recording(name: string): Recording {
  const found = recordings.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`there is no recording ${name}`);
  return found;
}

/** The answer's body as the server sent it. */
export function bodyText({ body }: Recording): string {
  return body === '' ? '' : JSON.stringify(body);
}
