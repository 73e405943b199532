import { END, HEARTBEAT, joined, openFrame } from './frames.ts';
import { type Heartbeats, LOOKS_PER_HEARTBEAT } from './heartbeats.ts';
import type { HubReader } from './hub-reader.ts';

/** Where a stream's bytes go: a web stream, or an answer of node:http. */
export interface Sink {
  /** Whether it takes more now. */
  ready(): boolean;
  write(bytes: Uint8Array): void;
  /** Ends the connection in order. */
  end(): void;
  /** Breaks the connection off. */
  fail(reason: Error): void;
}

/** The body of one answer: moves frames from a reader into a sink, as fast as the sink takes them. */
export interface StreamBody {
  /** Begins to write. */
  attach(sink: Sink): void;
  /** The sink takes more. */
  pump(): void;
  /** The client is gone. */
  cancel(): void;
  /** The server goes away: ends without `end`, so that the client comes back elsewhere. */
  shutDown(): void;
}

/** What a body is made of. */
export interface StreamBodyOptions {
  readonly reader: HubReader;
  readonly heartbeats: Heartbeats;
  /** Called once, when nothing more will be written. */
  readonly onClosed: (how: 'ended' | 'cut' | 'gone' | 'broken') => void;
}

/** How much is handed to a sink at once. */
const PIECE_BYTES = 64 * 1024;

/** A sink that takes nothing for so many looks (two heartbeats) while it should is given up. */
const PATIENCE_LOOKS = 2 * LOOKS_PER_HEARTBEAT;

export function createStreamBody({ reader, heartbeats, onClosed }: StreamBodyOptions): StreamBody {
  let sink: Sink | undefined;
  let done = false;
  let pumping = false;
  /** Written since the last look. */
  let wrote = false;
  let blockedLooks = 0;
  const isDone = () => done;

  const finish = (how: Parameters<typeof onClosed>[0], close: (open: Sink) => void): void => {
    if (done) return;
    done = true;
    stopBeating();
    reader.close();
    onClosed(how);
    if (sink !== undefined) close(sink);
  };
  const cutOff = (why: string): void => finish('cut', (open) => open.fail(new Error(why)));

  const write = (open: Sink, bytes: Uint8Array): void => {
    wrote = true;
    blockedLooks = 0;
    open.write(bytes);
  };

  const pump = (): void => {
    // A sink may ask for more while it is being written to.
    if (done || pumping || sink === undefined) return;
    pumping = true;
    const open = sink;
    // Not a plain `done`, which a write may change.
    while (!isDone() && open.ready()) {
      const frames = reader.take(PIECE_BYTES);
      if (frames.length === 0) break;
      write(open, joined(frames));
    }
    pumping = false;
    if (done) return;
    switch (reader.state()) {
      case 'ended':
        finish('ended', () => {
          open.write(END);
          open.end();
        });
        break;
      case 'behind':
        cutOff('the reader is too slow; it may resume');
        break;
      case 'broken':
      case 'closed':
        finish('broken', () => open.end());
        break;
      case 'open':
    }
  };

  const beat = (): void => {
    if (wrote) {
      wrote = false;
      return;
    }
    if (sink?.ready() === true) write(sink, HEARTBEAT);
    else {
      blockedLooks += 1;
      if (blockedLooks >= PATIENCE_LOOKS) cutOff('the reader takes nothing; it may resume');
    }
  };
  const stopBeating = heartbeats.add(beat);
  reader.listen(pump);

  return {
    attach(opened) {
      if (done) {
        opened.end();
        return;
      }
      sink = opened;
      write(opened, openFrame({ heartbeatMs: heartbeats.heartbeatMs, resumed: reader.resumed }));
      pump();
    },
    pump,
    cancel: () => finish('gone', () => {}),
    shutDown: () => finish('broken', (open) => open.end()),
  };
}
