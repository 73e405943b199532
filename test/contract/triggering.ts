import { lastValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import * as t from 'io-ts';
import { defineWorkflow, TRIGGER_TAG } from '../../src/index.ts';
import { errorWithTag, one } from '../support/observe.ts';
import type { Open } from './session.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function triggering(open: Open): void {
  describe('trigger', () => {
    test('answers with a ref after one POST, and sends nothing before it is subscribed to', async () => {
      const { runs, requests, posts } = open();
      const triggered = runs.trigger('contract-quick', { n: 1 });
      expect(requests()).toEqual([]);
      const ref = await one(triggered);
      expect(ref.id).toMatch(UUID);
      expect(ref).not.toHaveProperty('then');
      expect(posts()).toEqual([expect.stringContaining('/workflow-runs/trigger')]);
      // Beside the trigger: at most the look-up of the name, once per client.
      expect(requests().length).toBeLessThanOrEqual(2);
      expect(await one(ref.result$)).toEqual({ ok: true, n: 1 });
    });

    test('each subscription is a run of its own', async () => {
      const { runs, posts } = open();
      const triggered = runs.trigger('contract-quick', {});
      const [a, b] = await Promise.all([one(triggered), one(triggered)]);
      expect(a.id).not.toBe(b.id);
      expect(posts()).toHaveLength(2);
    });

    test('looks a name up once per client', async () => {
      const { start, requests } = open();
      await start('contract-quick');
      const before = requests().length;
      await start('contract-quick');
      expect(requests().length - before).toBe(1);
    });

    test('an unknown workflow is a WorkflowNotFoundError, though the server hands out an id', async () => {
      const { runs, posts } = open();
      const error = await errorWithTag('WorkflowNotFoundError', runs.trigger('contract-no-such-workflow', {}));
      expect(error.workflowName).toBe('contract-no-such-workflow');
      expect(posts().length).toBeLessThanOrEqual(1);
    });

    test('a part of a name is not the name', async () => {
      const { runs } = open();
      const error = await errorWithTag('WorkflowNotFoundError', runs.trigger('contract-quic', {}));
      expect(error.workflowName).toBe('contract-quic');
    });

    test('input, metadata and the tag of the trigger arrive', async () => {
      const { runs } = open();
      const ref = await one(
        runs.trigger(
          'contract-quick',
          { n: 3, nested: { deep: [1, 'two', null] } },
          { additionalMetadata: { colour: 'blue' }, priority: 3 },
        ),
      );
      await lastValueFrom(ref.status$);
      const task = await one(runs.getTaskRun(ref.id));
      expect(task.input).toMatchObject({ n: 3, nested: { deep: [1, 'two', null] } });
      expect(task.additionalMetadata).toMatchObject({ colour: 'blue', [TRIGGER_TAG]: expect.stringMatching(UUID) });
    });

    test('codecs check what goes in and what comes out', async () => {
      const { runs, requests } = open();
      const shape = t.type({ n: t.number });
      const good = defineWorkflow({
        name: 'contract-quick',
        input: shape,
        output: t.type({ ok: t.boolean, n: t.number }),
      });
      const ref = await one(runs.trigger(good, { n: 5 }));
      expect((await one(ref.result$)).n).toBe(5);
      const sent = requests().length;
      await errorWithTag('ConfigError', runs.trigger(good, { n: 'five' } as never));
      expect(requests()).toHaveLength(sent);

      const wrong = defineWorkflow({ name: 'contract-quick', input: shape, output: t.type({ ok: t.string }) });
      const wrongRef = await one(runs.trigger(wrong, { n: 5 }));
      const error = await errorWithTag('DecodeError', wrongRef.result$);
      expect(error.path).toBe('ok');
    });

    test.for([
      ['an empty name', '', {}, {}],
      ['an input that is no object', 'contract-quick', 'text', {}],
      ['a priority out of range', 'contract-quick', {}, { priority: 9 }],
      ['metadata that is no text', 'contract-quick', {}, { additionalMetadata: { n: 1 } }],
      ['a time limit of nothing', 'contract-quick', {}, { waitTimeoutMs: 0 }],
    ])('%s is a ConfigError, and nothing is sent', async ([, name, input, options]) => {
      const { runs, requests } = open();
      await errorWithTag('ConfigError', runs.trigger(name as string, input, options as never));
      await errorWithTag('ConfigError', runs.create(name as string, input, options as never));
      expect(requests()).toEqual([]);
    });

    test('the namespace is put before the name, once', async () => {
      const { runs } = open({ namespace: 'ContractNs' });
      const ref = await one(runs.trigger('quick', { n: 1 }));
      expect(await one(ref.result$)).toEqual({ namespaced: true, n: 1 });
      const again = await one(runs.trigger('contractns_quick', { n: 2 }));
      expect(await one(again.result$)).toEqual({ namespaced: true, n: 2 });
      const error = await errorWithTag('WorkflowNotFoundError', runs.trigger('contract-quick', {}));
      expect(error.workflowName).toBe('contractns_contract-quick');
    });
  });

  describe('create', () => {
    test('answers with the details of the new run, after one POST', async () => {
      const { runs, posts, tag } = open();
      const details = await one(runs.create('contract-quick', { n: 1 }, { additionalMetadata: tag }));
      expect(details.run.metadata.id).toMatch(UUID);
      expect(details.run.additionalMetadata).toMatchObject(tag);
      expect(['QUEUED', 'RUNNING', 'COMPLETED']).toContain(details.run.status);
      expect(posts()).toHaveLength(1);
    });

    test('an unknown workflow is a WorkflowNotFoundError', async () => {
      const { runs } = open();
      const error = await errorWithTag('WorkflowNotFoundError', runs.create('contract-no-such-workflow', {}));
      expect(error).toMatchObject({ operation: 'runs.create', workflowName: 'contract-no-such-workflow' });
    });
  });
}
