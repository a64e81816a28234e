// The application: what clients may call.

import grpc from '@grpc/grpc-js';
import { BadRequestException, type CanActivate, Controller, type ExecutionContext, Injectable, ParseIntPipe, UseGuards } from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { IsNotEmpty, IsString } from 'class-validator';
import { map, type Observable, range } from 'rxjs';
import { HubClient } from './fanline/hub-client.js';
import { HubContext } from './fanline/hub-context.js';
import { type HubReply, reply } from './fanline/hub-reply.js';

class Say {
  @IsString()
  @IsNotEmpty()
  text: string;
}

@Injectable()
class AdminsOnly implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToRpc().getContext<HubContext>().claims.role === 'admin';
  }
}

@Controller()
export class ChatController {
  constructor(private readonly hub: HubClient) {}

  /** The answer and the event are one step: the room has the message before the client has its answer. */
  @MessagePattern('chat.say')
  say(@Payload() { text }: Say, @Ctx() { channel, user }: HubContext): HubReply {
    if (!channel.startsWith('chat:')) throw new BadRequestException('channel: say it in a room, chat:…');
    return reply({ said: text }).publish(channel, 'message', { text }, { headers: { user } });
  }

  /** The other way to publish, from anywhere: with the position of the event in hand. */
  @UseGuards(AdminsOnly)
  @MessagePattern('chat.announce')
  async announce(@Payload() { text }: Say): Promise<{ position: string }> {
    const { position } = await this.hub.publish('chat:lobby', 'message', { text });
    return { position: `${position.epoch}-${position.offset}` };
  }

  /** An answer in several parts. */
  @MessagePattern('chat.countdown')
  countdown(@Payload(ParseIntPipe) from: number): Observable<{ left: number }> {
    return range(1, from).pipe(map((step) => ({ left: from - step })));
  }

  @MessagePattern('chat.close')
  close(): never {
    throw new RpcException({ code: grpc.status.FAILED_PRECONDITION, message: 'the room has guests' });
  }
}
