import type { RunEvent } from '../model/event.ts';

const encoder = new TextEncoder();

/** What the first frame says. */
export interface Opening {
  readonly heartbeatMs: number;
  /** Whether everything after the client's resume point is still held. */
  readonly resumed: boolean;
}

/** The version of the wire format. */
const PROTOCOL = 1;

/** A comment, to show that the connection lives. */
export const HEARTBEAT: Uint8Array = encoder.encode(': still here\n\n');

/** The last frame: all has been said, and the client must not come back. */
export const END: Uint8Array = encoder.encode('event: end\ndata: {"reason":"finished"}\n\n');

/** The first frame. */
export function openFrame({ heartbeatMs, resumed }: Opening): Uint8Array {
  return encoder.encode(`event: open\ndata: ${JSON.stringify({ protocol: PROTOCOL, heartbeatMs, resumed })}\n\n`);
}

/** An event as a frame; `id` is the resume point after it, if it is one. JSON has no line breaks, so one `data:` line holds it. */
export function eventFrame(id: string | undefined, event: RunEvent): Uint8Array {
  // A resume point of the gateway's own source means nothing to its readers.
  const { id: _, ...rest } = event;
  const resumePoint = id === undefined ? '' : `id: ${id}\n`;
  return encoder.encode(`${resumePoint}event: ${event.type}\ndata: ${JSON.stringify(rest)}\n\n`);
}

/** Frames in one piece. */
export function joined(frames: readonly Uint8Array[]): Uint8Array {
  const [first] = frames;
  if (first !== undefined && frames.length === 1) return first;
  const whole = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
  let offset = 0;
  for (const frame of frames) {
    whole.set(frame, offset);
    offset += frame.length;
  }
  return whole;
}
