const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether `value` has the form of a UUID, which all of Hatchet's ids have. */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}
