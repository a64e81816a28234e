"""A client whose stubs grpcio-tools makes from the proto files, as any project would at build time."""

import importlib
import importlib.resources
import pathlib
import sys
import tempfile
import types

import grpc
from grpc_tools import protoc

import backend

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"


def generate(folder):
    well_known_types = importlib.resources.files("grpc_tools") / "_proto"
    files = sorted(str(file.relative_to(PROTO)) for file in PROTO.rglob("*.proto"))
    status = protoc.main(
        [
            "protoc",
            f"-I{PROTO}",
            f"-I{well_known_types}",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            *files,
        ]
    )
    assert status == 0, "the proto files do not compile"


def main():
    options = backend.options()
    with tempfile.TemporaryDirectory() as folder:
        generate(folder)
        sys.path.insert(0, folder)
        api = types.SimpleNamespace()
        for name in ("event", "publisher", "subscriber"):
            vars(api).update(vars(importlib.import_module(f"fanline.v1.{name}_pb2")))
        publisher = importlib.import_module("fanline.v1.publisher_pb2_grpc")
        subscriber = importlib.import_module("fanline.v1.subscriber_pb2_grpc")
    with grpc.insecure_channel(options.target) as channel:
        stubs = types.SimpleNamespace(
            publisher=publisher.PublisherStub(channel), subscriber=subscriber.SubscriberStub(channel)
        )
        backend.run(api, stubs, options.key, options.channel)


main()
