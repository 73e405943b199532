/* oxlint-disable vitest/expect-expect -- what does not compile asserts by @ts-expect-error */
import * as t from 'io-ts';
import type { Observable } from 'rxjs';
import { describe, expectTypeOf, it } from 'vitest';
import {
  defineWorkflow,
  type JsonObject,
  type RunsClient,
  type V1WorkflowRunDetails,
  type WorkflowDefinition,
  type WorkflowRunRef,
} from 'hatchet-rx';

declare const runs: RunsClient;

const summarize = defineWorkflow({
  name: 'summarize',
  input: t.type({ url: t.string }),
  output: t.type({ text: t.string, words: t.number }),
});
type Summary = { text: string; words: number };

describe('defineWorkflow', () => {
  it('takes input and output from the codecs', () => {
    expectTypeOf(summarize).toEqualTypeOf<WorkflowDefinition<{ url: string }, Summary>>();
  });

  it('without codecs, any JSON object goes in and out', () => {
    expectTypeOf(defineWorkflow({ name: 'w' })).toEqualTypeOf<WorkflowDefinition<JsonObject, JsonObject>>();
  });

  it('with an output codec only', () => {
    const definition = defineWorkflow({ name: 'w', output: t.type({ n: t.number }) });
    expectTypeOf(definition).toEqualTypeOf<WorkflowDefinition<JsonObject, { n: number }>>();
  });

  it('needs a name, and codecs that are codecs', () => {
    // @ts-expect-error -- no name
    defineWorkflow({ input: t.string });
    // @ts-expect-error -- a text is no codec
    defineWorkflow({ name: 'w', input: 'string' });
    // @ts-expect-error -- a decoder cannot write: it does not do for input
    defineWorkflow({ name: 'w', input: { decode: () => ({ _tag: 'Right' as const, right: 1 }) } });
  });
});

describe('trigger', () => {
  it('gives a ref of the output', () => {
    const ref = runs.trigger(summarize, { url: 'x' });
    expectTypeOf(ref).toEqualTypeOf<Observable<WorkflowRunRef<Summary>>>();
    expectTypeOf<WorkflowRunRef<Summary>['result$']>().toEqualTypeOf<Observable<Summary>>();
    expectTypeOf<ReturnType<WorkflowRunRef<Summary>['result']>>().toEqualTypeOf<Observable<Summary>>();
  });

  it('checks the input', () => {
    // @ts-expect-error -- url is missing
    runs.trigger(summarize, {});
    // @ts-expect-error -- url is not a number
    runs.trigger(summarize, { url: 1 });
    // @ts-expect-error -- no input at all
    runs.trigger(summarize);
  });

  it('checks its options', () => {
    runs.trigger('w', {}, { priority: 3, additionalMetadata: { k: 'v' }, waitTimeoutMs: 5 });
    // @ts-expect-error -- priority is 1, 2 or 3
    runs.trigger('w', {}, { priority: 4 });
    // @ts-expect-error -- metadata are texts
    runs.trigger('w', {}, { additionalMetadata: { n: 1 } });
    // @ts-expect-error -- no such option
    runs.trigger('w', {}, { timeout: 1 });
  });

  it('create gives the details', () => {
    expectTypeOf(runs.create(summarize, { url: 'x' })).toEqualTypeOf<Observable<V1WorkflowRunDetails>>();
    // @ts-expect-error -- the same check
    runs.create(summarize, { uri: 'x' });
  });
});

describe('a ref', () => {
  it('of a known id has the output of its decoder, or JSON', () => {
    expectTypeOf(runs.getRunRef('x')).toEqualTypeOf<WorkflowRunRef<JsonObject>>();
    expectTypeOf(runs.getRunRef('x', { output: t.type({ n: t.number }) })).toEqualTypeOf<
      WorkflowRunRef<{ n: number }>
    >();
  });

  it('is not thenable: an async function can return it', () => {
    expectTypeOf<'then' extends keyof WorkflowRunRef<JsonObject> ? true : false>().toEqualTypeOf<false>();
    const later = async () => runs.getRunRef('x');
    expectTypeOf(later).returns.toEqualTypeOf<Promise<WorkflowRunRef<JsonObject>>>();
    expectTypeOf<Awaited<WorkflowRunRef<JsonObject>>>().toEqualTypeOf<WorkflowRunRef<JsonObject>>();
  });
});
