export { grpcRunEvents, type GrpcRunEventsOptions, STREAM_TAG } from './run-events.ts';
export type { GrpcTlsOptions } from './settings.ts';
export type { EventConnection, EventHost, RunEventSource } from '../events/source.ts';
