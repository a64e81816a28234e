"""A client that has no proto files: it asks the hub what it speaks."""

import types

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import backend


def main():
    options = backend.options()
    with grpc.insecure_channel(options.target) as channel:
        with_key = grpc.intercept_channel(channel, Key(options.key))
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(with_key))
        publisher = pool.FindServiceByName("fanline.v1.Publisher")
        subscriber = pool.FindServiceByName("fanline.v1.Subscriber")
        api = types.SimpleNamespace()
        for service in (publisher, subscriber):
            for name, descriptor in service.file.message_types_by_name.items():
                setattr(api, name, message_factory.GetMessageClass(descriptor))
        stubs = types.SimpleNamespace(publisher=stub(channel, publisher), subscriber=stub(channel, subscriber))
        backend.run(api, stubs, options.key, options.channel)


class Key(grpc.StreamStreamClientInterceptor):
    """Reflection asks for a key like every other call, and its client has no place for one."""

    def __init__(self, key):
        self.metadata = [("authorization", f"Bearer {key}")]

    def intercept_stream_stream(self, continuation, details, requests):
        details = Details(details.method, details.timeout, self.metadata)
        return continuation(details, requests)


class Details(grpc.ClientCallDetails):
    """A call's details with other metadata."""

    def __init__(self, method, timeout, metadata):
        self.method = method
        self.timeout = timeout
        self.metadata = metadata
        self.credentials = None
        self.wait_for_ready = None
        self.compression = None


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
