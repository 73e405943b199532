import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createHatchet, type Hatchet, isHatchetError } from 'hatchet-rx';
import { type Engine, startEngine } from 'hatchet-rx/testing';
import { lastValueFrom, type Observable, tap } from 'rxjs';

/** A client, with a Hatchet behind it that has the example's workflows. */
export interface Playground extends AsyncDisposable {
  readonly hatchet: Hatchet;
  /** Whether the Hatchet behind the client is the embedded engine. */
  readonly isEmbedded: boolean;
}

/** What an example consists of. */
export interface Example {
  /** The workflows it needs, registered on the embedded engine. On a real server, workers register them. */
  readonly workflows: (engine: Engine) => void;
  /** The example itself, as the lines that it prints. */
  readonly main: (playground: Playground, args: readonly string[]) => Observable<string>;
}

/** Connects to the server that `HATCHET_CLIENT_TOKEN` names; without a token, starts an engine in this process. */
export async function openPlayground({ workflows }: Pick<Example, 'workflows'>): Promise<Playground> {
  if ((process.env['HATCHET_CLIENT_TOKEN'] ?? '') !== '') {
    const hatchet = createHatchet();
    return { hatchet, isEmbedded: false, [Symbol.asyncDispose]: () => hatchet.close() };
  }
  const engine = await startEngine();
  workflows(engine);
  const { token, url: serverUrl, tenantId } = engine;
  // Everything is said here, so that no other variable of the environment leads elsewhere.
  const hatchet = createHatchet({ token, serverUrl, tenantId, namespace: '' });
  return {
    hatchet,
    isEmbedded: true,
    [Symbol.asyncDispose]: async () => {
      await hatchet.close();
      await engine.close();
    },
  };
}

/** Runs an example and prints its lines, if its module is what Node was started with. */
export async function runAsScript(moduleUrl: string, example: Example): Promise<void> {
  const [, script, ...args] = process.argv;
  if (script === undefined || realpathSync(script) !== fileURLToPath(moduleUrl)) return;
  try {
    await using playground = await openPlayground(example);
    await lastValueFrom(example.main(playground, args).pipe(tap((line) => console.log(line))), { defaultValue: '' });
  } catch (error) {
    // The message of a HatchetError says what to do; of everything else the stack is needed.
    console.error(isHatchetError(error) ? `\n${error.name}: ${error.message}` : error);
    process.exitCode = 1;
  }
}
