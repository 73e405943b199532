/** How often and after which pauses a request that is safe to repeat is sent again. */
export interface RetryPolicy {
  /** All attempts together, the first one included; 1 turns retries off. Default 4. */
  readonly maxAttempts?: number | undefined;
  /** The ceiling of the first pause, in milliseconds; it doubles with each attempt. Default 100. */
  readonly baseDelayMs?: number | undefined;
  /** The highest ceiling of a pause, in milliseconds. Default 5,000. */
  readonly maxDelayMs?: number | undefined;
}

/** A policy with nothing left open. */
export type ResolvedRetryPolicy = { readonly [K in keyof RetryPolicy]-?: number };

/** The pause after the failed attempt `attempt` (from 1): full jitter, so that clients spread out. Milliseconds. */
export function backoffMs(policy: ResolvedRetryPolicy, attempt: number, random: () => number): number {
  return random() * Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** Math.min(attempt - 1, 30));
}

/** What `Retry-After` asks for, in milliseconds: seconds, or an HTTP date. [spec] RFC 9110, 10.2.3. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
