/** Puts the chunks of one attempt of one task into order, and knows which are missing. Pure: time is passed in. */
import { readMark, type StreamMark } from './stream-mark.ts';

/** A chunk as the engine hands it out. */
export interface SourceChunk {
  readonly taskRunId: string;
  /** The task's number for it; not every worker numbers. */
  readonly index: number | undefined;
  readonly text: string;
  /** Microseconds since 1970, by the worker's clock. */
  readonly timeUs: number;
}

/** What comes out, in order: a chunk, or numbers that will not come. */
export type Ordered =
  | { readonly type: 'chunk'; readonly chunk: SourceChunk; readonly index: number | undefined }
  | { readonly type: 'hole'; readonly from: number; readonly to: number };

interface Waiting {
  readonly chunk: SourceChunk;
  readonly arrivedAt: number;
}

/** What is remembered of a chunk to know it again. */
interface Trace {
  readonly timeUs: number;
  readonly length: number;
}

/** So many chunks that were delivered last are known again when they come twice. */
const REMEMBERED = 1_024;

/** So many waiting chunks are looked through for one that contradicts a new one. */
const LOOKED_THROUGH = 64;

/** More waiting chunks than these: the hole before them counts as lost. */
const MAX_WAITING = 10_000;

export class Attempt {
  /** The retry count; guessed from the order of things until a mark says it. */
  retryCount: number;
  /** Whether a mark said it. */
  certain = false;
  readonly beganAt: number;
  /** Whether its number has been compared with that of the attempt before. */
  placed = false;
  /** How long a hole may stay, in milliseconds; at the head, shorter for those who come late anyhow. */
  readonly #holeMs: number;
  readonly #headMs: number;
  /** The number of the next chunk to come out, as the worker counts. */
  #next = 0;
  /** The chunk with the lowest number so far: what is later has a higher number and is not older. */
  #first: { readonly index: number; readonly timeUs: number } | undefined;
  /** The moment of the newest chunk that came out, and of the newest at all. */
  #newestUs = Number.NEGATIVE_INFINITY;
  #latestUs = Number.NEGATIVE_INFINITY;
  readonly #waiting = new Map<number, Waiting>();
  readonly #recent = new Map<number, Trace>();
  #start: Trace | undefined;
  readonly #adopted = new Map<number, Trace>();
  #unnumbered = 0;
  #closing: { readonly index: number | undefined; readonly count: number } | undefined;
  #opened = false;
  /** Whether a hole came out that is a loss. */
  #lossy = false;
  #headMissed = false;
  /** Whether its marks name two attempts: the end of one and the beginning of the next are lost between them. */
  #mixed = false;

  constructor(info: {
    readonly retryCount: number;
    readonly beganAt: number;
    readonly holeMs: number;
    readonly headMs: number | undefined;
  }) {
    this.retryCount = info.retryCount;
    this.beganAt = info.beganAt;
    this.#holeMs = info.holeMs;
    this.#headMs = info.headMs ?? info.holeMs;
    this.#headMissed = info.headMs !== undefined;
  }

  /** The number that the next chunk has for whoever reads: an opening mark does not count. */
  get next(): number {
    return this.#shown(this.#next);
  }

  /** The number of the next chunk, as the worker counts. */
  get rawNext(): number {
    return this.#next;
  }

  /** Whether a chunk with this number came. */
  has(index: number): boolean {
    return this.#traceOf(index) !== undefined;
  }

  /** Whether the task counts its chunks, as far as is known. */
  get counted(): boolean {
    return this.#opened || this.#closing !== undefined;
  }

  /** Whether anything of it has arrived. */
  get begun(): boolean {
    return this.#first !== undefined || this.#unnumbered > 0;
  }

  /** Whether it is proved that nothing is missing from the first chunk that could be had to the last. */
  get whole(): boolean {
    const closing = this.#closing;
    if (closing === undefined || this.#lossy || this.#mixed || this.#waiting.size > 0) return false;
    if (closing.index === undefined) return this.#unnumbered === closing.count;
    // A task that puts chunks past its stream has more numbers than counts; fewer cannot be.
    return this.#next === closing.index + 1 && closing.index >= closing.count;
  }

  /** Whether chunks of two attempts have come out as one, whose numbers happened to fit together. */
  get mixed(): boolean {
    return this.#mixed;
  }

  /** Whether the closing mark came out. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Whether it holds chunks from after its end: they are the next attempt's. */
  get overfull(): boolean {
    return this.#endedAt !== undefined && this.#waiting.size > 0;
  }

  get #endedAt(): number | undefined {
    return this.#closing?.index;
  }

  /** What a numbered chunk is to this attempt. */
  judge(chunk: SourceChunk, index: number): 'mine' | 'known' | 'twin' | 'earlier' | 'next' {
    const { timeUs } = chunk;
    const first = this.#first;
    if (first !== undefined && index > first.index && timeUs < first.timeUs) return 'earlier';
    const trace = this.#traceOf(index);
    // The closing mark is the last of its attempt.
    if (trace === undefined && this.#endedAt !== undefined && index > this.#endedAt) return 'next';
    if (trace !== undefined) {
      if (trace.timeUs === timeUs) return trace.length === chunk.text.length ? 'known' : 'twin';
      // The number again, put at another moment.
      return timeUs > trace.timeUs ? 'next' : 'earlier';
    }
    if (index >= this.#next) return this.#outOfTime(index, timeUs) ? 'next' : 'mine';
    // Given up, or forgotten: newer than all that came out is another attempt's, the rest is late.
    return timeUs > this.#newestUs ? 'next' : 'known';
  }

  /** Whether a chunk that was put at this moment is from before this attempt, `before` being the one before. */
  isOlder(timeUs: number, before: Attempt): boolean {
    const first = this.#first;
    // Unless the clocks of two workers differ.
    return first !== undefined && first.timeUs > before.#latestUs && timeUs <= before.#latestUs;
  }

  /** Whether a chunk that is not the later attempt's can be this one's. */
  mayOwn(chunk: SourceChunk, index: number): boolean {
    return (
      this.#endedAt === undefined && index >= this.#next && !this.#waiting.has(index) && chunk.timeUs >= this.#newestUs
    );
  }

  get newestUs(): number {
    return this.#newestUs;
  }

  /** Takes a chunk that is this attempt's. */
  add(chunk: SourceChunk, index: number, now: number): void {
    if (this.#first === undefined || index < this.#first.index) this.#first = { index, timeUs: chunk.timeUs };
    this.#latestUs = Math.max(this.#latestUs, chunk.timeUs);
    this.#waiting.set(index, { chunk, arrivedAt: now });
  }

  /** Takes the chunks from `other` that were put after `timeUs`: they came before the first sign of this attempt. */
  takeLaterFrom(other: Attempt, timeUs: number): void {
    for (const [index, { chunk, arrivedAt }] of other.#waiting) {
      if (chunk.timeUs < timeUs) continue;
      other.#waiting.delete(index);
      this.add(chunk, index, arrivedAt);
    }
  }

  /** Takes note of chunks that went out as `other`'s although they are from after this attempt's `chunk`. */
  adoptFrom(other: Attempt, { timeUs }: SourceChunk, index: number): void {
    const before = other.#traceOf(index);
    // Else the worker's clock is behind, and says nothing.
    if (before === undefined || before.timeUs > timeUs) return;
    for (const [number, trace] of other.#recent) if (trace.timeUs > timeUs) this.#adopted.set(number, trace);
  }

  /** A chunk without a number goes out as it comes. */
  pass(chunk: SourceChunk): Ordered[] {
    const mark = readMark(chunk.text);
    if (mark !== undefined) {
      this.#note(mark, undefined);
      return [];
    }
    this.#unnumbered += 1;
    return [{ type: 'chunk', chunk, index: undefined }];
  }

  /** What is in order by now, and which holes are too old by now. */
  drain(now: number): Ordered[] {
    const out: Ordered[] = [];
    for (;;) {
      this.#drainContiguous(out);
      const dueAt = this.dueAt();
      if (dueAt === undefined || (dueAt > now && this.#waiting.size <= MAX_WAITING)) return out;
      this.#skipHole(out);
    }
  }

  /** All that is left, holes told. */
  flush(): Ordered[] {
    const out: Ordered[] = [];
    for (;;) {
      this.#drainContiguous(out);
      if (this.#waiting.size === 0 || this.overfull) return out;
      this.#skipHole(out);
    }
  }

  /** When the hole that holds chunks back becomes a loss. */
  dueAt(): number | undefined {
    // A Map keeps the order of arrival.
    if (this.overfull) return undefined;
    for (const { arrivedAt } of this.#waiting.values()) {
      return arrivedAt + (this.#recent.size === 0 && this.#next === 0 ? this.#headMs : this.#holeMs);
    }
    return undefined;
  }

  /** Whether a chunk with a higher number is older: numbers and moments grow together within an attempt. */
  #outOfTime(index: number, timeUs: number): boolean {
    // Where much waits, the order is lost anyhow, and looking costs.
    if (this.#waiting.size > LOOKED_THROUGH) return false;
    for (const [other, { chunk }] of this.#waiting) if (other > index && chunk.timeUs < timeUs) return true;
    return false;
  }

  #drainContiguous(out: Ordered[]): void {
    for (;;) {
      if (this.#adopted.has(this.#next)) {
        this.#next += 1;
        continue;
      }
      const waiting = this.#endedAt === undefined ? this.#waiting.get(this.#next) : undefined;
      if (waiting === undefined) return;
      this.#waiting.delete(this.#next);
      this.#deliver(waiting.chunk, this.#next, out);
      this.#next += 1;
    }
  }

  #deliver(chunk: SourceChunk, index: number, out: Ordered[]): void {
    this.#remember(chunk, index);
    this.#newestUs = Math.max(this.#newestUs, chunk.timeUs);
    const mark = readMark(chunk.text);
    if (mark === undefined) out.push({ type: 'chunk', chunk, index: this.#shown(index) });
    else this.#note(mark, index);
  }

  #note(mark: StreamMark, index: number | undefined): void {
    if (mark.retryCount !== undefined) {
      this.#mixed ||= this.certain && mark.retryCount !== this.retryCount;
      this.retryCount = mark.retryCount;
      this.certain = true;
    }
    if (mark.type === 'opening') {
      this.#opened = true;
      if (index === undefined) this.#unnumbered += 1;
    } else this.#closing = { index, count: mark.count };
  }

  #skipHole(out: Ordered[]): void {
    const to = Math.min(...this.#waiting.keys()) - 1;
    const from = this.#next;
    const head = from === 0 && this.#recent.size === 0;
    if (!(head && this.#headMissed)) this.#lossy = true;
    out.push({ type: 'hole', from: this.#shown(from), to: this.#shown(to) });
    this.#next = to + 1;
  }

  #shown(index: number): number {
    return this.#opened ? Math.max(0, index - 1) : index;
  }

  #traceOf(index: number): Trace | undefined {
    const waiting = this.#waiting.get(index);
    if (waiting !== undefined) return { timeUs: waiting.chunk.timeUs, length: waiting.chunk.text.length };
    return index === 0 ? this.#start : (this.#recent.get(index) ?? this.#adopted.get(index));
  }

  #remember(chunk: SourceChunk, index: number): void {
    const trace = { timeUs: chunk.timeUs, length: chunk.text.length };
    if (index === 0) this.#start = trace;
    this.#recent.set(index, trace);
    // Numbers come out in order, so the one to forget is known.
    this.#recent.delete(index - REMEMBERED);
  }
}
