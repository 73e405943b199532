import { describe, expect, it } from 'vitest';
import * as tour from '../../examples/tour.ts';
import { linesOf } from './on-engine.ts';

/** The lines below a heading, without their indentation. */
function chapter(lines: readonly string[], title: string): string[] {
  const start = lines.findIndex((line) => line.endsWith(title));
  expect(start, `a chapter "${title}"`).toBeGreaterThan(0);
  const rest = lines.slice(start + 1);
  const end = rest.indexOf('');
  return (end < 0 ? rest : rest.slice(0, end)).map((line) => line.trim());
}

describe('the tour', () => {
  it('shows every operation at work', { timeout: 40_000 }, async () => {
    const startedAt = Date.now();
    const lines = await linesOf(tour);

    expect(Date.now() - startedAt).toBeLessThan(30_000);
    expect(lines[0]).toContain('an engine in this process plays the server');
    expect(chapter(lines, 'Trigger a run and wait for its result').at(-1)).toBe('result$  → {"n":21,"doubled":42}');
    expect(chapter(lines, 'Watch a run live').at(-1)).toMatch(/^status\$ {2}→ COMPLETED \(after \d+ ms\)$/);
    expect(chapter(lines, 'A DAG gives the output of every step')).toEqual([
      'result$  → {"first":{"step":1},"second":{"step":2,"got":{"step":1}}}',
    ]);

    const retried = chapter(lines, 'FAILED is not final while a retry follows');
    expect(retried.at(-1)).toBe('history  → FAILED, RETRYING, FAILED, RETRYING, FINISHED');
    expect(retried.at(-2)).toBe('status$  → COMPLETED');
    expect(retried).not.toContain('status$  → FAILED');

    expect(chapter(lines, 'What goes wrong is a typed error')).toEqual([
      expect.stringMatching(/^RunFailedError +fail: Error: it broke$/),
      expect.stringMatching(/^WorkflowNotFoundError +"no-such-workflow" is not registered$/),
      expect.stringMatching(/^ConfigError .*"no-uuid".*nothing was sent$/),
    ]);

    const replayed = chapter(lines, 'Cancel a run, then replay it');
    expect(replayed.slice(0, 4)).toEqual(expect.arrayContaining(['cancel() → done', 'status$  → CANCELLED']));
    expect(replayed.slice(-2)).toEqual(['status$  → COMPLETED', 'attempt  → 2']);

    expect(chapter(lines, 'Cancel in bulk, with progress')).toEqual([
      'triggered 30 runs that would take 30 s each',
      'plan     → 30 runs',
      'chunk 1  → 10 cancelled, 10 of 30 done',
      'chunk 2  → 10 cancelled, 20 of 30 done',
      'chunk 3  → 10 cancelled, 30 of 30 done',
      'done     → 30 cancelled, 0 failed',
    ]);

    const sizes = chapter(lines, 'List runs, page by page, each exactly once').map(
      (line) => / (\d+) runs/.exec(line)?.[1],
    );
    expect(sizes).toEqual(['10', '10', '10', '6']);
    expect(chapter(lines, 'Count runs by status')[0]).toBe('of this tour        → 30 CANCELLED, 5 COMPLETED, 1 FAILED');
  });

  it('says what it lacks on a server without its workflows, and shows the rest', async () => {
    const lines = await linesOf({ workflows: () => {}, main: tour.main }, 'slow=some-task');

    expect(chapter(lines, 'Watch a run live')).toEqual(['skipped: this server has no workflow "some-task"']);
    expect(chapter(lines, 'List runs, page by page, each exactly once')).toEqual(['no runs in the last 24 hours']);
    expect(chapter(lines, 'Count runs by status')).toHaveLength(2);
    expect(lines.some((line) => line.includes('npm start -- dag=NAME'))).toBe(true);
  });

  it('triggers the workflows that arguments name', async () => {
    const lines = await linesOf(
      { workflows: (engine) => engine.workflow('mine', ({ n }) => ({ half: n / 2 })), main: tour.main },
      'quick=mine',
    );

    expect(chapter(lines, 'Trigger a run and wait for its result').at(-1)).toBe('result$  → {"half":10.5}');
  });
});
