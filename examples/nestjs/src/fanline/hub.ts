// The gRPC connection to the hub: stubs made from the proto files when the process starts, with the types that we use.

import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

export interface Command {
  id: string;
  method: string;
  channel: string;
  data: Buffer;
  user: string;
  connection: string;
  claims: Record<string, string>;
  idempotency_key: string;
  traceparent: string;
}

export interface Publication {
  channel: string;
  type: string;
  data: Buffer;
  headers?: Record<string, string>;
  idempotency_key?: string;
  exclude_connections?: string[];
}

export interface Reply {
  data?: Buffer;
  error?: { code: number; message: string };
  more?: boolean;
  publish?: Publication[];
  join?: string[];
  leave?: string[];
}

export type ServeRequest =
  | { register: { methods: string[]; max_in_flight: number } }
  | { reply: Reply & { id: string } }
  | { drain: {} };

export interface ServeResponse {
  registered?: { max_in_flight: number };
  command?: Command;
  cancelled?: { id: string };
  rejected?: { id: string; error: { message: string } };
}

export interface Published {
  event_id: string;
  position: { epoch: string; offset: string };
  duplicate: boolean;
}

export type ServeStream = grpc.ClientDuplexStream<ServeRequest, ServeResponse>;

/** From the proto files of this checkout; copy the folder `proto` along with this one. */
const PROTO = fileURLToPath(new URL('../../../../proto', import.meta.url));

/** How long a publish may take with all its attempts; within the hub's idempotency window. */
const PUBLISH_DEADLINE_MS = 30_000;

const OPTIONS: grpc.ChannelOptions = {
  // A hub that vanished without a word is noticed, also while no commands come; one that is back, within seconds.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_reconnect_backoff_ms': 5_000,
  // Both codes mean that the outcome is unknown: only the idempotency key makes the retry safe.
  'grpc.service_config': JSON.stringify({
    methodConfig: [
      {
        name: [{ service: 'fanline.v1.Publisher', method: 'Publish' }],
        retryPolicy: {
          maxAttempts: 5,
          initialBackoff: '0.2s',
          maxBackoff: '5s',
          backoffMultiplier: 3,
          retryableStatusCodes: ['UNAVAILABLE', 'DEADLINE_EXCEEDED'],
        },
      },
    ],
  }),
};

export class Hub {
  private readonly bus;
  private readonly publisher;
  private readonly metadata = new grpc.Metadata();

  /** `url` is that of the gRPC listener: `https://` with TLS, `http://` without. */
  constructor(url: string, apiKey: string) {
    const { protocol, host } = new URL(url);
    const tls = protocol === 'https:' ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
    const files = ['fanline/v1/commands.proto', 'fanline/v1/publisher.proto'];
    const definition = loader.loadSync(files, { includeDirs: [PROTO], keepCase: true, longs: String, defaults: true, oneofs: true });
    const { fanline } = grpc.loadPackageDefinition(definition) as any;
    this.bus = new fanline.v1.CommandBus(host, tls, OPTIONS);
    this.publisher = new fanline.v1.Publisher(host, tls, OPTIONS);
    this.metadata.set('authorization', `Bearer ${apiKey}`);
  }

  serve(): ServeStream {
    return this.bus.Serve(this.metadata);
  }

  publish(publication: Publication): Promise<Published> {
    const deadline = { deadline: Date.now() + PUBLISH_DEADLINE_MS };
    return new Promise((resolve, reject) => {
      const done = (error: grpc.ServiceError | null, published: Published) => (error ? reject(error) : resolve(published));
      this.publisher.Publish(publication, this.metadata, deadline, done);
    });
  }

  close(): void {
    this.bus.close();
    this.publisher.close();
  }
}

export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value ?? null));
