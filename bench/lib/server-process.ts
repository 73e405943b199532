import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A server in a process of its own, so that what it costs is not the client's. */
export interface ServerProcess<A, Q> {
  /** What the server said when it was ready. */
  readonly ready: A;
  /** Asks the server what it has seen since it was asked last. */
  ask(): Promise<Q>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts one of `servers/`; it has to `serve` there. */
export async function startServer<A, Q>(file: string, parameters: object = {}): Promise<ServerProcess<A, Q>> {
  const path = fileURLToPath(new URL(`../servers/${file}`, import.meta.url));
  const server = fork(path, [JSON.stringify(parameters)], { execArgv: ['--import', 'tsx'] });
  const died = new Promise<never>((_resolve, reject) => {
    server.once('exit', (code) => reject(new Error(`the server ${file} ended (${code})`)));
  });
  // Whoever waits for an answer is told; the end of the benchmark is nobody's business.
  died.catch(() => undefined);
  const answer = async <R>(): Promise<R> => {
    const [message] = (await Promise.race([once(server, 'message'), died])) as [R];
    return message;
  };
  return {
    ready: await answer<A>(),
    ask: () => {
      const answered = answer<Q>();
      server.send('?');
      return answered;
    },
    [Symbol.asyncDispose]: async () => {
      const gone = once(server, 'exit');
      server.disconnect();
      await gone;
    },
  };
}

/** The server's side: says that it is ready, and what it has seen when asked, until the benchmark lets go of it. */
export function serve(ready: object, seen: () => object): void {
  process.on('message', () => process.send?.(seen()));
  process.once('disconnect', () => process.exit());
  process.send?.(ready);
}
