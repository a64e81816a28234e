// A client that has no proto files of the hub: it asks the hub what it speaks (grpc.reflection.v1).

import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import { LOADER, bearer, run } from './backend.mjs';
import { options } from './options.mjs';

const REFLECTION = `
  syntax = "proto3";
  package grpc.reflection.v1;
  service ServerReflection { rpc ServerReflectionInfo(stream ServerReflectionRequest) returns (stream ServerReflectionResponse); }
  message ServerReflectionRequest { string file_containing_symbol = 4; string file_by_filename = 3; }
  message ServerReflectionResponse { FileDescriptorResponse file_descriptor_response = 4; ErrorResponse error_response = 7; }
  message FileDescriptorResponse { repeated bytes file_descriptor_proto = 1; }
  message ErrorResponse { int32 error_code = 1; string error_message = 2; }
`;

const given = options('target', 'key', 'channel');
const files = await reflect(given, ['fanline.v1.Publisher', 'fanline.v1.Subscriber']);
const set = descriptor.FileDescriptorSet.encode({ file: [...files.values()] }).finish();
const { fanline } = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(Buffer.from(set), LOADER));
await run(fanline.v1, given);

// The files that declare these symbols and all that they import, by name.
async function reflect({ target, key }, symbols) {
  const { grpc: own } = grpc.loadPackageDefinition(loader.fromJSON(protobuf.parse(REFLECTION, { keepCase: true }).root.toJSON(), LOADER));
  const client = new own.reflection.v1.ServerReflection(target, grpc.credentials.createInsecure());
  const stream = client.ServerReflectionInfo(bearer(key), { deadline: Date.now() + 20_000 });
  const answers = stream[Symbol.asyncIterator]();
  const ask = async (request) => {
    stream.write(request);
    const { value } = await answers.next();
    if (value.error_response) throw new Error(`${JSON.stringify(request)}: ${value.error_response.error_message}`);
    return value.file_descriptor_response.file_descriptor_proto.map((bytes) => descriptor.FileDescriptorProto.decode(bytes));
  };

  const files = new Map();
  const add = async (file) => {
    if (files.has(file.name)) return;
    files.set(file.name, file);
    for (const name of file.dependency) {
      if (files.has(name)) continue;
      for (const imported of await ask({ file_by_filename: name })) await add(imported);
    }
  };
  for (const symbol of symbols) {
    for (const file of await ask({ file_containing_symbol: symbol })) await add(file);
  }
  stream.end();
  client.close();
  return files;
}
