// The custom transport: `@MessagePattern` handlers answer the commands of clients.

import grpc from '@grpc/grpc-js';
import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import { defer, filter, Subject, takeUntil } from 'rxjs';
import { HubContext } from './hub-context.js';
import { HubReply } from './hub-reply.js';
import { errorOf } from './hub-error.js';
import { type Command, type Hub, json, type Reply, type ServeStream } from './hub.js';

const REFUSALS = [grpc.status.UNAUTHENTICATED, grpc.status.PERMISSION_DENIED, grpc.status.INVALID_ARGUMENT];

export class HubStrategy extends Server implements CustomTransportStrategy {
  /** Nest waits for the first registration; called once. */
  private ready?: (error?: Error) => void;
  /** The one that is open, if any. */
  private stream?: ServeStream;
  /** Set once we are told to close. */
  private stopped?: () => void;
  /** The ids of commands that nobody waits for any more. */
  private readonly cancelled = new Subject<string>();

  constructor(
    private readonly hub: Hub,
    private readonly maxInFlight = 64,
  ) {
    super();
  }

  /** Ready once the hub has taken the registration of all patterns. */
  listen(ready: (error?: Error) => void): void {
    this.ready = ready;
    this.serve();
  }

  private serve(): void {
    const stream = (this.stream = this.hub.serve());
    stream.write({ register: { methods: [...this.messageHandlers.keys()], max_in_flight: this.maxInFlight } });
    stream.on('data', ({ registered, command, cancelled, rejected }) => {
      if (registered) this.registered();
      if (command) this.answer(stream, command);
      if (cancelled) this.cancelled.next(cancelled.id);
      if (rejected) this.logger.warn(`a reply was not taken: ${rejected.error.message}`);
    });
    stream.on('end', () => stream.end());
    stream.on('error', () => {}); // 'status' says the same, and comes last however the stream ended
    stream.on('status', ({ code, details }) => {
      this.stream = undefined;
      if (this.stopped) return this.stopped();
      if (REFUSALS.includes(code)) return this.registered(new Error(`the hub refuses: ${details}`));
      this.logger.warn(`the hub is away (${details}); serving again as soon as it is back`);
      // Not all workers of a hub that was away come back at one moment.
      setTimeout(() => this.stopped ?? this.serve(), 2000 * Math.random());
    });
  }

  /** A refusal that comes later has nobody to tell: it ends the process, rather than leave one that answers nothing. */
  private registered(error?: Error): void {
    if (error && !this.ready) throw error;
    this.ready?.(error);
    this.ready = undefined;
  }

  private answer(stream: ServeStream, { id, ...command }: Command): void {
    const send = (reply: Reply) => void stream.write({ reply: { id, ...reply } });
    const handler = this.getHandlerByPattern(command.method);
    if (!handler) return send({ error: { code: grpc.status.UNIMPLEMENTED, message: `nobody handles ${command.method}` } });
    const context = new HubContext([{ id, ...command }]);
    const cancelled = this.cancelled.pipe(filter((other) => other === id));
    const handled = defer(() => this.transformToObservable(handler(JSON.parse(command.data.toString()), context)));
    let failed = false;
    this.handleRequest(context, async () => handled.pipe(takeUntil(cancelled)), ({ err, response, isDisposed }) => {
      if (failed) return;
      failed = err !== undefined;
      if (failed) send({ error: errorOf(err) });
      else if (response instanceof HubReply) send({ ...response.message, more: !isDisposed });
      // Nest puts the end of a stream into its last value where both come at once; else the end comes alone, as null.
      else send({ data: json(response), more: !isDisposed });
    });
  }

  /** No more commands; done when those that are under way are answered. */
  async close(): Promise<void> {
    await new Promise<void>((stopped) => {
      this.stopped = stopped;
      if (this.stream) this.stream.write({ drain: {} });
      else stopped();
    });
    this.hub.close();
  }

  on(): void {}

  unwrap<T>(): T {
    return this.hub as T;
  }
}
