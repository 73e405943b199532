import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy that breaks connections off. */
export interface CuttingProxy {
  readonly url: string;
  /** Connections so far. */
  readonly connections: number;
  /** Bytes from the server after which each of the next connections is cut, one after the other; then `otherwise`. */
  cutAfter(...bytes: readonly number[]): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param otherwise - bytes after which every connection is cut that was not given a number of its own */
export async function cuttingProxy(
  target: number,
  otherwise: number = Number.POSITIVE_INFINITY,
): Promise<CuttingProxy> {
  const next: number[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    connections += 1;
    let left = next.shift() ?? otherwise;
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on('data', (bytes: Buffer) => {
      if (left <= 0) return;
      const passed = bytes.subarray(0, left);
      left -= passed.length;
      // What is written before the end must arrive.
      if (left > 0) client.write(passed);
      else client.end(passed);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return connections;
    },
    cutAfter: (...bytes) => void next.push(...bytes),
    close,
    [Symbol.asyncDispose]: close,
  };
}
