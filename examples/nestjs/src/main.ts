// A chat backend: `chat.controller.ts` is the application, the folder `fanline` connects it to the hub.

import 'reflect-metadata';
import { Module, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ChatController } from './chat.controller.js';
import { Hub } from './fanline/hub.js';
import { HubClient } from './fanline/hub-client.js';
import { HttpToHubFilter } from './fanline/hub-error.js';
import { HubStrategy } from './fanline/hub-strategy.js';

const { FANLINE_URL = 'http://127.0.0.1:50051', FANLINE_API_KEY } = process.env;
if (!FANLINE_API_KEY) throw new Error('set FANLINE_API_KEY');
const hub = new Hub(FANLINE_URL, FANLINE_API_KEY);

@Module({
  controllers: [ChatController],
  providers: [HubClient, { provide: Hub, useValue: hub }],
})
class ChatModule {}

const app = await NestFactory.createMicroservice(ChatModule, { strategy: new HubStrategy(hub) });
app.useGlobalPipes(new ValidationPipe());
app.useGlobalFilters(new HttpToHubFilter());
app.enableShutdownHooks();
await app.listen();
console.log('answering chat.*');
