import type { RunEvent } from '../../../src/index.ts';

/** The text of each chunk. */
export const chunksOf = (events: readonly RunEvent[]): string[] =>
  events.flatMap((event) => (event.type === 'chunk' ? [event.text] : []));

export const gapsOf = (events: readonly RunEvent[]): RunEvent[] => events.filter(({ type }) => type === 'gap');

/** The texts that the workflow `talk` streams. */
export const talk = (chunks: number): string[] => Array.from({ length: chunks }, (_, n) => `chunk ${n}`);

/** A frame of an event stream, taken apart. */
export interface Frame {
  readonly event: string | undefined;
  readonly id: string | undefined;
  readonly data: string | undefined;
  readonly comment: string | undefined;
}

export function framesOf(text: string): Frame[] {
  return text
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => {
      const field = (name: string) => {
        const line = block.split('\n').find((candidate) => candidate.startsWith(`${name}: `));
        return line?.slice(name.length + 2);
      };
      return { event: field('event'), id: field('id'), data: field('data'), comment: field('') };
    });
}

/** Reads the body of a fetch in pieces. */
export interface BodyReader {
  /** What has come so far. */
  readonly text: string;
  /** Reads until `part` has come, or the stream has ended. */
  until(part: string): Promise<string>;
  rest(): Promise<string>;
  cancel(): Promise<void>;
}

export function readerOf(response: Response): BodyReader {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = '';
  const more = async (): Promise<boolean> => {
    const piece = await reader?.read();
    if (piece === undefined || piece.done) return false;
    text += decoder.decode(piece.value, { stream: true });
    return true;
  };
  return {
    get text() {
      return text;
    },
    async until(part) {
      while (!text.includes(part) && (await more()));
      return text;
    },
    async rest() {
      while (await more());
      return text;
    },
    cancel: async () => {
      await reader?.cancel();
    },
  };
}
