/**
 * Cuts text into pieces of at most `maxBytes` bytes of UTF-8, between characters. An empty text is one empty piece.
 *
 * A lone surrogate becomes U+FFFD, as it does wherever text is encoded.
 */
export function splitText(text: string, maxBytes: number): string[] {
  const pieces: string[] = [];
  let from = 0;
  let size = 0;
  // By UTF-16 unit rather than by iterator: a model's answer comes in thousands of small texts.
  for (let at = 0; at < text.length;) {
    const code = text.codePointAt(at) ?? 0;
    const bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (size + bytes > maxBytes) {
      pieces.push(text.slice(from, at));
      from = at;
      size = 0;
    }
    size += bytes;
    at += code < 0x10000 ? 1 : 2;
  }
  pieces.push(text.slice(from));
  return pieces;
}
