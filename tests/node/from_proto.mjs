// A client that loads the proto files at run time.

import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import { LOADER, run } from './backend.mjs';
import { options } from './options.mjs';

const proto = fileURLToPath(new URL('../../proto', import.meta.url));
const files = ['fanline/v1/publisher.proto', 'fanline/v1/subscriber.proto'];
const definition = loader.loadSync(files, { ...LOADER, includeDirs: [proto] });
const { fanline } = grpc.loadPackageDefinition(definition);

await run(fanline.v1, options('target', 'key', 'channel'));
