import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRunMemory } from '../../src/runs/run-memory.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('what a client remembers of its triggers', () => {
  it('the workflow, for half a minute', () => {
    const memory = createRunMemory();
    memory.triggered('run', 'quick');
    expect(memory.freshWorkflowOf('run')).toBe('quick');
    expect(memory.freshWorkflowOf('other')).toBeUndefined();
    vi.advanceTimersByTime(29_999);
    expect(memory.freshWorkflowOf('run')).toBe('quick');
    vi.advanceTimersByTime(1);
    expect(memory.freshWorkflowOf('run')).toBeUndefined();
  });

  it('a run that a look has found is remembered a little longer only', () => {
    const memory = createRunMemory();
    memory.triggered('run', 'quick');
    memory.seen('run');
    vi.advanceTimersByTime(1_999);
    expect(memory.freshWorkflowOf('run')).toBe('quick');
    vi.advanceTimersByTime(1);
    expect(memory.freshWorkflowOf('run')).toBeUndefined();
  });

  it('a late look does not make it last longer, and one at a stranger leaves no trace', () => {
    const memory = createRunMemory();
    memory.triggered('run', 'quick');
    vi.advanceTimersByTime(29_500);
    memory.seen('run');
    memory.seen('stranger');
    vi.advanceTimersByTime(500);
    expect(memory.freshWorkflowOf('run')).toBeUndefined();
    expect(memory.freshWorkflowOf('stranger')).toBeUndefined();
  });

  it('is bounded: beyond 20,000 runs the oldest are forgotten', () => {
    const memory = createRunMemory();
    for (let index = 0; index < 20_001; index += 1) memory.triggered(`run ${index}`, 'quick');
    expect(memory.freshWorkflowOf('run 0')).toBeUndefined();
    expect(memory.freshWorkflowOf('run 1')).toBe('quick');
    expect(memory.freshWorkflowOf('run 20000')).toBe('quick');
  });

  it('no timer is kept for it', () => {
    createRunMemory().triggered('run', 'quick');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('what a client remembers of its replays', () => {
  it('the attempts of the latest one, for half a minute', () => {
    const memory = createRunMemory();
    expect(memory.attemptsAtLeast('run')).toBe(0);
    memory.replayed('run', 2);
    memory.replayed('run', 5);
    expect(memory.attemptsAtLeast('run')).toBe(5);
    expect(memory.attemptsAtLeast('other')).toBe(0);
    vi.advanceTimersByTime(30_000);
    expect(memory.attemptsAtLeast('run')).toBe(0);
  });

  it('is bounded, and a run replayed again is young again', () => {
    const memory = createRunMemory();
    memory.replayed('first', 2);
    memory.replayed('second', 2);
    memory.replayed('first', 3);
    for (let index = 0; index < 19_999; index += 1) memory.replayed(`run ${index}`, 2);
    expect(memory.attemptsAtLeast('first')).toBe(3);
    expect(memory.attemptsAtLeast('second')).toBe(0);
  });
});
