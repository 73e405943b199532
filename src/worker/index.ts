export {
  reliableStream,
  type ReliableStream,
  type ReliableStreamOptions,
  type StreamContext,
} from './reliable-stream.ts';
