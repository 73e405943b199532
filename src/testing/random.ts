/** A fixed number, or a range `[min, max]` from which a number is drawn each time. */
export type Amount = number | readonly [min: number, max: number];

/** The one source of randomness of an engine; the same seed gives the same sequence. */
export interface Random {
  /** At least 0, less than 1. */
  next(): number;
  /** The number itself, or one drawn from the range. */
  amount(amount: Amount): number;
  /** `length` hexadecimal digits. */
  hex(length: number): string;
  /** A version 4 uuid. */
  uuid(): string;
}

/** mulberry32: small, fast, and good enough to spread delays and ids. */
export const createRandom = (seed: number): Random => {
  let state = seed >>> 0;
  const next32 = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const hex32 = (): string => next32().toString(16).padStart(8, '0');
  const next = (): number => next32() / 2 ** 32;
  return {
    next,
    amount(amount) {
      if (typeof amount === 'number') return amount;
      const [min, max] = amount;
      return min + (max - min) * next();
    },
    hex(length) {
      let text = '';
      while (text.length < length) text += hex32();
      return text.slice(0, length);
    },
    uuid() {
      const a = hex32();
      const b = hex32();
      const c = hex32();
      const d = hex32();
      const variant = ((Number.parseInt(c.charAt(0), 16) & 3) | 8).toString(16);
      return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${variant}${c.slice(1, 4)}-${c.slice(4)}${d}`;
    },
  };
};
