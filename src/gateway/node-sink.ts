import type { ServerResponse } from 'node:http';
import type { Sink } from './stream-body.ts';

/**
 * An answer of `node:http` as a sink.
 *
 * @param cutAfter - destroys the connection after so many bytes, for tests
 */
export function nodeSink(outgoing: ServerResponse, cutAfter?: number): Sink {
  let left = cutAfter ?? Number.POSITIVE_INFINITY;
  return {
    ready: () => !outgoing.writableNeedDrain,
    write(bytes) {
      left -= bytes.length;
      if (left > 0) outgoing.write(bytes);
      else if (!outgoing.writableEnded && !outgoing.destroyed) {
        // What is written must be out before the connection goes.
        outgoing.write(bytes.subarray(0, bytes.length + left), () => outgoing.destroy());
        left = Number.NEGATIVE_INFINITY;
      }
    },
    end: () => void (left > 0 && outgoing.end()),
    fail: (reason) => void outgoing.destroy(reason),
  };
}
