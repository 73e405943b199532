export type { Access, Authorize, Decision, GatewayOperation, Scope } from './authorize.ts';
export { createGateway, type Gateway, type GatewayStats } from './gateway.ts';
export { toNodeHandler } from './node-handler.ts';
export type { CorsOptions, GatewayBuffer, GatewayLimits, GatewayOptions } from './options.ts';
export { createRunToken, type RunTokenOptions, runTokens, type RunTokensOptions, WATCHING } from './run-token.ts';
