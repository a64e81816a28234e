// Who calls, and about what: `@Ctx() context: HubContext` in a handler, `context.switchToRpc().getContext()` in a guard.

import { BaseRpcContext } from '@nestjs/microservices';
import type { Command } from './hub.js';

export class HubContext extends BaseRpcContext<[Command]> {
  /** The `sub` of the token that the hub has verified. Empty: anonymous. */
  get user(): string {
    return this.args[0].user;
  }

  /** What else that token says. */
  get claims(): Record<string, string> {
    return this.args[0].claims;
  }

  /** The connection that calls. Empty: the call came over plain HTTP. */
  get connection(): string {
    return this.args[0].connection;
  }

  /** The channel that the call is about; the hub has checked that the client may follow it. Empty: none. */
  get channel(): string {
    return this.args[0].channel;
  }

  /** The same command may come twice with the same key. Empty: it will not. */
  get idempotencyKey(): string {
    return this.args[0].idempotency_key;
  }

  get traceparent(): string {
    return this.args[0].traceparent;
  }
}
