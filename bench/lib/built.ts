/**
 * A module of the built package that is not among its entries. (The `hatchet-rx` of the benchmarks is the built package
 * too: they run without the condition that leads to its sources.)
 */
export async function built<A>(path: string): Promise<A> {
  return (await import(new URL(`../../dist/${path}`, import.meta.url).href)) as A;
}
