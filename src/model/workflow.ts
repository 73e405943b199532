import type { Codec, Decoder } from './decoder.ts';
import type { JsonObject } from './json.ts';

/** A workflow by name, with what goes in and what comes out. Made by `defineWorkflow`. */
export interface WorkflowDefinition<I, O> {
  readonly name: string;
  readonly input: Codec<I> | undefined;
  readonly output: Decoder<O> | undefined;
}

/** A workflow: just its name, or its definition. */
export type WorkflowOf<I, O> = string | WorkflowDefinition<I, O>;

/**
 * Types a workflow: triggers take `I` and check it before anything is sent, results are checked to be `O`.
 *
 * @param definition - `name` as registered by the workers, without the namespace; `input` and `output` are io-ts codecs
 *   or anything with the same `decode` and `encode`. Without `input` any JSON object goes in, without `output` any comes
 *   out. The output of a DAG is an object with every step's output under the step's name.
 * @example
 * ```ts
 * const summarize = defineWorkflow({ name: 'summarize', input: t.type({ url: t.string }), output: t.type({ text: t.string }) });
 * runs.trigger(summarize, { url: 'https://example.com' }).pipe(switchMap((run) => run.result$)); // Observable<{ text: string }>
 * ```
 */
export function defineWorkflow<I = JsonObject, O = JsonObject>(definition: {
  readonly name: string;
  readonly input?: Codec<I> | undefined;
  readonly output?: Decoder<O> | undefined;
}): WorkflowDefinition<I, O> {
  return { name: definition.name, input: definition.input, output: definition.output };
}
