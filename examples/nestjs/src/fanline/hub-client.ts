// Publishing from anywhere in the application.

import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Hub, json, type Published } from './hub.js';
import type { EventOptions } from './hub-reply.js';

@Injectable()
export class HubClient {
  constructor(private readonly hub: Hub) {}

  /**
   * Resolves when the event is in the channel's history and on its way to every subscriber. While the outcome is unknown
   * it is tried again, five times in all, and published once: each call has an idempotency key of its own unless you give one.
   */
  publish(channel: string, type: string, data: unknown, options: EventOptions = {}): Promise<Published> {
    return this.hub.publish({ idempotency_key: randomUUID(), ...options, channel, type, data: json(data) });
  }
}
