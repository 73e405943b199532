import { isRecord } from '../model/json.ts';
import { refused } from './answers.ts';

/** Reads a body as a JSON object, and no more of it than `maxBytes`. An empty one is an empty object. */
export async function readBody(request: Request, maxBytes: number): Promise<Readonly<Record<string, unknown>>> {
  // Forms and plain text are what a foreign page may send with its visitors' cookies; JSON it may not.
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw refused(415, 'Unsupported Media Type');
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  const reader = request.body?.getReader();
  for (;;) {
    const piece = await reader?.read();
    if (piece === undefined || piece.done) break;
    bytes += piece.value.length;
    if (bytes > maxBytes) {
      await reader?.cancel();
      throw tooLarge(maxBytes);
    }
    text += decoder.decode(piece.value, { stream: true });
  }
  if (text.trim() === '') return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw refused(400, 'the body is not JSON');
  }
  if (!isRecord(json)) throw refused(400, 'the body is not a JSON object');
  return json;
}

function tooLarge(maxBytes: number) {
  return refused(413, `the body has more than ${maxBytes} bytes`);
}
