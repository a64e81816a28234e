// What a handler returns when its answer does more than answer.

import { json, type Publication, type Reply } from './hub.js';

export type EventOptions = Pick<Publication, 'headers' | 'idempotency_key' | 'exclude_connections'>;

/** An answer, and what the hub applies before the client gets it: all `publish`, then all `join`, then all `leave`. */
export class HubReply {
  readonly message: Reply & { publish: Publication[]; join: string[]; leave: string[] };

  constructor(data: unknown) {
    this.message = { data: json(data), publish: [], join: [], leave: [] };
  }

  publish(channel: string, type: string, data: unknown, options: EventOptions = {}): this {
    this.message.publish.push({ channel, type, data: json(data), ...options });
    return this;
  }

  /** Puts the connection that calls into a channel. */
  join(channel: string): this {
    this.message.join.push(channel);
    return this;
  }

  /** Takes the connection that calls out of a channel. */
  leave(channel: string): this {
    this.message.leave.push(channel);
    return this;
  }
}

export const reply = (data?: unknown): HubReply => new HubReply(data);
