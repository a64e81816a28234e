"""A client that has no proto files: it asks the hub what it speaks."""

import types

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import backend


def main():
    options = backend.options()
    with grpc.insecure_channel(options.target) as channel:
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        publisher = pool.FindServiceByName("fanline.v1.Publisher")
        subscriber = pool.FindServiceByName("fanline.v1.Subscriber")
        api = types.SimpleNamespace()
        for service in (publisher, subscriber):
            for name, descriptor in service.file.message_types_by_name.items():
                setattr(api, name, message_factory.GetMessageClass(descriptor))
        stubs = types.SimpleNamespace(publisher=stub(channel, publisher), subscriber=stub(channel, subscriber))
        backend.run(api, stubs, options.key, options.channel)


def stub(channel, service):
    """A callable for each method of a service that takes one message."""
    methods = {}
    for method in service.methods:
        call = channel.unary_stream if method.server_streaming else channel.unary_unary
        methods[method.name] = call(
            f"/{service.full_name}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
    return types.SimpleNamespace(**methods)


main()
