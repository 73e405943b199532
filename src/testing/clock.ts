/** The engine's clock: microseconds since 1970, every reading later than the one before. */
export interface Clock {
  /** A new instant, later than every earlier one. */
  now(): number;
  /** The present instant, without taking it: two calls may agree. */
  peek(): number;
}

// Taken once, so that fake timers of a test runner do not stop the engine's clock.
const dateNow = Date.now;
const hrtime = (): bigint => process.hrtime.bigint();

/** The zero time of Go, which stands for "not set" on the wire. */
export const ZERO_TIME = '0001-01-01T00:00:00Z';

/** A clock that begins with the system's time and never gives one microsecond twice. */
export const createClock = (): Clock => {
  let last = 0;
  const startUs = dateNow() * 1000;
  const startNs = hrtime();
  const present = (): number => startUs + Number((hrtime() - startNs) / 1000n);
  return {
    now() {
      last = Math.max(present(), last + 1);
      return last;
    },
    peek() {
      return Math.max(present(), last);
    },
  };
};

/** RFC 3339 in UTC with 0 to 6 fraction digits, trailing zeros cut; 0 gives the zero time. */
export const formatMicros = (micros: number): string => {
  if (micros === 0) return ZERO_TIME;
  const fraction = micros % 1_000_000;
  const seconds = new Date((micros - fraction) / 1000).toISOString().slice(0, 19);
  // [hatchet] times are written with 0 to 6 fraction digits, trailing zeros cut
  if (fraction === 0) return `${seconds}Z`;
  return `${seconds}.${String(fraction).padStart(6, '0').replace(/0+$/, '')}Z`;
};

/** Seconds (milliseconds at the finest) as Go writes a duration: `1.5s`, `2s`, `1m0s`. */
export const formatGoDuration = (seconds: number): string => {
  if (seconds < 1) return `${Math.floor(seconds * 1000)}ms`;
  const rest = Math.floor((seconds % 60) * 1000) / 1000;
  return seconds < 60 ? `${rest}s` : `${Math.floor(seconds / 60)}m${rest}s`;
};

const RFC3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** Microseconds of a time the server would take: RFC 3339 with a zone, or a bare date; else undefined. */
export const parseMicros = (text: string): number | undefined => {
  const [, day = ''] = /^\d{4}-\d{2}-(\d{2})/.exec(text) ?? [];
  // Date.parse lets the 30th of February be the 2nd of March.
  if (new Date(`${text.slice(0, 10)}T00:00:00Z`).getUTCDate() !== Number(day)) return undefined;
  const match = RFC3339.exec(text);
  if (match) {
    const [, seconds = '', fraction = '', zone = 'Z'] = match;
    const millis = Date.parse(seconds + zone);
    return Number.isNaN(millis) ? undefined : millis * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
  }
  if (!DATE.test(text)) return undefined;
  const millis = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(millis) ? undefined : millis * 1000;
};

/** A length of time as Go writes it in a workflow's options: `500ms`, `2s`, `1m`, `2h`. */
export const formatDuration = (millis: number): string => {
  if (millis % 1000 !== 0) return `${millis}ms`;
  if (millis % 3_600_000 === 0) return `${millis / 3_600_000}h`;
  if (millis % 60_000 === 0) return `${millis / 60_000}m`;
  return `${millis / 1000}s`;
};
