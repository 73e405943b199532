export const TENANT = '707d0855-80ab-4e1f-a156-f1c4546cbf52';
export const RUN = '44934b9f-1548-4756-b5be-7c64f1947748';

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as Hatchet issues them: a JWT with these claims. */
export function jwt(
  claims: Readonly<Record<string, unknown>> = {},
  signature = 'c2lnbmF0dXJlLW9mLXRoZS10b2tlbg',
): string {
  const all = { sub: TENANT, server_url: 'https://claimed.example.com', aud: 'x', ...claims };
  return `${part({ alg: 'ES256', kid: 'key' })}.${part(all)}.${signature}`;
}
