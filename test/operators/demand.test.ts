import { NEVER, of, Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { emitOnDemand, holdBack } from '../../src/operators/demand.ts';
import { itInMarbles, marbles } from './support/marbles.ts';

describe('demand', () => {
  itInMarbles('nobody holds back: the source may go on at once', ({ expectObservable }) => {
    expectObservable(emitOnDemand(() => undefined)).toBe('(a|)', { a: undefined });
  });

  itInMarbles("never: a signal that does not come holds the source back, whoever's it is", ({ expectObservable }) => {
    expectObservable(emitOnDemand(() => holdBack(NEVER))).toBe('-');
  });

  itInMarbles('one: goes on with the signal', ({ hot, expectObservable, expectSubscriptions }) => {
    const signal = hot('--a-');
    expectObservable(emitOnDemand(() => holdBack(signal))).toBe('--a-');
    expectSubscriptions(signal.subscriptions).toBe('^');
  });

  itInMarbles('many: the last one to hold back within one emission decides', ({ cold, expectObservable }) => {
    const wanted = emitOnDemand(() => {
      holdBack(of('early'));
      holdBack(cold('--a|'));
    });
    expectObservable(wanted).toBe('--a|');
  });

  it('error: an emission that throws leaves nothing behind for the next', () => {
    expect(() =>
      emitOnDemand(() => {
        holdBack(NEVER);
        throw new Error('in the consumer');
      }),
    ).toThrow('in the consumer');
    marbles(({ expectObservable }) => {
      expectObservable(emitOnDemand(() => undefined)).toBe('(a|)', { a: undefined });
    });
  });

  it('synchronous source: an emission within an emission holds back the inner source only', () => {
    const inner = new Subject<void>();
    const gone: string[] = [];
    const outer = emitOnDemand(() => {
      emitOnDemand(() => holdBack(inner)).subscribe(() => gone.push('inner'));
    });
    outer.subscribe(() => gone.push('outer'));
    expect(gone).toEqual(['outer']);
    inner.next();
    expect(gone).toEqual(['outer', 'inner']);
  });

  it('synchronous source: an emission within an emission does not undo what held the outer back', () => {
    const signal = new Subject<void>();
    const gone: string[] = [];
    emitOnDemand(() => {
      holdBack(signal);
      emitOnDemand(() => undefined).subscribe(() => gone.push('inner'));
    }).subscribe(() => gone.push('outer'));
    expect(gone).toEqual(['inner']);
    signal.next();
    expect(gone).toEqual(['inner', 'outer']);
  });

  it('a signal of somebody who iterates over an unpaged source concerns no later emission', () => {
    holdBack(NEVER);
    const gone: string[] = [];
    emitOnDemand(() => undefined).subscribe(() => gone.push('on'));
    expect(gone).toEqual(['on']);
  });
});
