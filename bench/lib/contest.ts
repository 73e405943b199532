import { median, quantile } from './statistics.ts';
import type { Row } from './row.ts';

/** Two ways to do the same work. */
export interface Contest {
  readonly ours: () => unknown;
  readonly peer: () => unknown;
  /** Pairs of measurements. */
  readonly rounds: number;
  /** Pairs before those, which are not counted. */
  readonly warmUps: number;
}

/** What a contest gave, one entry per round. */
export interface Outcome {
  readonly oursMs: readonly number[];
  readonly peerMs: readonly number[];
  /** Wall time of ours over that of the peer, measured right before or after it. */
  readonly ratios: readonly number[];
  /** The same of the processor time that this process used. */
  readonly cpuRatios: readonly number[];
}

interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/**
 * Measures both in turns (A B, B A, A B, …), so that what else the machine does hits both alike; each ratio is that of
 * two neighbours. What a side's garbage costs is part of its price, so nothing is collected in between: right after a
 * collection the heap is small and the caches are cold, as they are in no program at work.
 */
export async function compare({ ours, peer, rounds, warmUps }: Contest): Promise<Outcome> {
  const pairs: { readonly ours: Cost; readonly peer: Cost }[] = [];
  for (let round = -warmUps; round < rounds; round += 1) {
    const oursFirst = round % 2 === 0;
    const first = await costOf(oursFirst ? ours : peer);
    const second = await costOf(oursFirst ? peer : ours);
    if (round >= 0) pairs.push(oursFirst ? { ours: first, peer: second } : { ours: second, peer: first });
  }
  return {
    oursMs: pairs.map((pair) => pair.ours.wallMs),
    peerMs: pairs.map((pair) => pair.peer.wallMs),
    ratios: pairs.map((pair) => pair.ours.wallMs / pair.peer.wallMs),
    cpuRatios: pairs.map((pair) => pair.ours.cpuMs / pair.peer.cpuMs),
  };
}

async function costOf(work: () => unknown): Promise<Cost> {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const wallMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs, cpuMs: (user + system) / 1_000 };
}

/** The table's line for a contest. */
export function rowOf(
  outcome: Outcome,
  what: {
    readonly row: string;
    readonly peer: string;
    /** The highest ratio that will do. */
    readonly goal?: number;
    /** How many operations one measurement holds, to tell the cost of one. */
    readonly operations: number;
    /** Whether to tell the ratio of the processor times too; of use where a server's time is part of the wall time. */
    readonly cpu?: boolean;
  },
): Row {
  const ratio = median(outcome.ratios);
  const spread = `${times(quantile(outcome.ratios, 0.25))}–${times(quantile(outcome.ratios, 0.75))}`;
  const each = [outcome.oursMs, outcome.peerMs].map((all) => duration(median(all) / what.operations)).join(' / ');
  const cpu = what.cpu === true ? `; CPU ${times(median(outcome.cpuRatios))}` : '';
  return {
    row: what.row,
    peer: what.peer,
    ...(what.goal === undefined ? {} : { goal: `≤ ${times(what.goal)}`, met: ratio <= what.goal }),
    figure: `**${times(ratio)}** (${spread}${cpu}; ${each})`,
    samples: { ...outcome },
  };
}

export const times = (ratio: number): string => `${ratio.toFixed(2)}×`;

export function duration(ms: number): string {
  if (ms < 1) return `${(ms * 1_000).toFixed(0)} µs`;
  return ms < 1_000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
