"""Publishes protobuf bodies of every kind and compares what the hub delivers with what Python's own protobuf writes."""

import argparse
import importlib
import importlib.resources
import json
import pathlib
import sys
import tempfile

import grpc
from google.protobuf import json_format
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--channel", required=True)
    return parser.parse_args()


def generate(folder):
    well_known_types = importlib.resources.files("grpc_tools") / "_proto"
    includes = [ROOT / "proto", ROOT / "asyncapi/proto", ROOT / "asyncapi/tests/every_kind/proto"]
    files = [str(file.relative_to(include)) for include in includes for file in include.rglob("*.proto")]
    status = protoc.main(
        ["protoc"]
        + [f"-I{include}" for include in [*includes, well_known_types]]
        + [f"--python_out={folder}", f"--grpc_python_out={folder}"]
        + sorted(files)
    )
    assert status == 0, "the proto files do not compile"


def cases(kinds, any_pb2):
    """A message for each thing that the mapping says, by name."""
    kind = kinds.EveryKind
    inner = kinds.EveryKind.Inner
    wrapped = any_pb2.Any()
    wrapped.Pack(inner(text="packed"))
    structure = kind()
    structure.struct.update({"a": 1.5, "b": [True, None, "x"], "c": {"d": "e"}})
    structure.value.string_value = "v"
    structure.list_value.extend([1, "two", None])
    times = kind()
    times.timestamp.FromJsonString("2026-11-24T09:30:00.123456789Z")
    times.duration.FromJsonString("-1.5s")
    early = kind()
    early.timestamp.FromJsonString("0001-01-01T00:00:00Z")
    early.duration.seconds = 315576000000
    late = kind()
    late.timestamp.FromJsonString("9999-12-31T23:59:59.999Z")
    late.duration.nanos = 1
    masked = kind()
    masked.field_mask.paths.extend(["an_int32", "inner.text"])
    wrappers = kind()
    wrappers.double_value.value = 0.5
    wrappers.float_value.value = 0.1
    wrappers.int64_value.value = -(2**63)
    wrappers.uint64_value.value = 2**64 - 1
    wrappers.int32_value.value = -1
    wrappers.uint32_value.value = 2**32 - 1
    wrappers.bool_value.value = True
    wrappers.string_value.value = "s"
    wrappers.bytes_value.value = b"\x00\xff"
    zero_wrappers = kind()
    for name in ("int64_value", "bool_value", "string_value", "bytes_value", "double_value"):
        getattr(zero_wrappers, name).SetInParent()
    no_numbers = kind()
    no_numbers.double_value.value = float("nan")
    no_numbers.float_value.value = float("-inf")
    timed, nested = any_pb2.Any(), any_pb2.Any()
    timed.Pack(times.duration)
    nested.Pack(wrapped)
    null = kind()
    null.value.null_value = 0
    return {
        "nothing": kind(),
        "largest integers": kind(an_int32=2**31 - 1, an_int64=2**63 - 1, a_uint32=2**32 - 1, a_uint64=2**64 - 1),
        "smallest integers": kind(an_int32=-(2**31), an_int64=-(2**63), a_sint32=-(2**31), a_sint64=-(2**63)),
        "fixed integers": kind(a_fixed32=7, a_fixed64=2**53 + 1, a_sfixed32=-7, a_sfixed64=-(2**53) - 1),
        "floats": kind(a_float=0.1, a_double=0.1),
        # Not the very largest float: Python refuses to read what it writes of it.
        "huge floats": kind(a_float=3.4e38, a_double=1.7976931348623157e308),
        "tiny floats": kind(a_float=1.17549435e-38, a_double=5e-324),
        "zero with a sign": kind(a_float=-0.0, a_double=-0.0),
        "not a number": kind(a_float=float("nan"), a_double=float("nan")),
        "infinite": kind(a_float=float("inf"), a_double=float("-inf")),
        "bool and text": kind(a_bool=True, a_string='quote " backslash \\ \u0000 \u2028 é 😀'),
        "bytes": kind(some_bytes=bytes(range(256))),
        "enum": kind(color=kinds.COLOR_RED, colors=[kinds.COLOR_GREEN, kinds.COLOR_UNSPECIFIED]),
        "inner": kind(inner=inner(text="x"), inners=[inner(), inner(text="y")]),
        "empty inner": kind(inner=inner()),
        "optional zero": kind(maybe_string="", maybe_int32=0),
        "lists": kind(int64s=[0, -1, 2**60]),
        "maps": kind(strings={"": "empty", "a/b": "c"}, by_number={-1: inner(text="x")}, by_bool={True: 1, False: 0}),
        "map of enums": kind(color_of={"r": kinds.COLOR_RED}),
        "oneof text": kind(choice_string=""),
        "oneof integer": kind(choice_int64=2**62, other_bool=False),
        "oneof message": kind(choice_inner=inner(), other_bytes=b"\x01"),
        "timestamp and duration": times,
        "earliest and longest": early,
        "latest and shortest": late,
        "struct": structure,
        "null value": null,
        "any": kind(any=wrapped),
        "any of a time": kind(any=timed),
        "any within any": kind(any=nested),
        "field mask": masked,
        "empty": kind(empty={}),
        "wrappers": wrappers,
        "wrapped zeros": zero_wrappers,
        "wrapped, and no numbers": no_numbers,
        "itself": kind(itself=kind(itself=kind(a_bool=True))),
        "renamed": kind(renamed="x", gone="y"),
    }


def main():
    arguments = options()
    with tempfile.TemporaryDirectory() as folder:
        generate(folder)
        sys.path.insert(0, folder)
        kinds = importlib.import_module("kinds.v1.kinds_pb2")
        any_pb2 = importlib.import_module("google.protobuf.any_pb2")
        api = importlib.import_module("fanline.v1.publisher_pb2")
        channels = importlib.import_module("fanline.v1.channels_pb2")
        publisher_grpc = importlib.import_module("fanline.v1.publisher_pb2_grpc")
        channels_grpc = importlib.import_module("fanline.v1.channels_pb2_grpc")
    metadata = [("authorization", f"Bearer {arguments.key}")]
    faults = []
    messages = cases(kinds, any_pb2)
    with grpc.insecure_channel(arguments.target) as channel:
        publisher = publisher_grpc.PublisherStub(channel)

        def publish(data, content_type):
            request = api.PublishRequest(
                channel=arguments.channel, type="every.kind", data=data, content_type=content_type
            )
            return publisher.Publish(request, metadata=metadata, timeout=30)

        for name, message in messages.items():
            try:
                publish(message.SerializeToString(), "application/protobuf")
                # What Python writes as JSON is taken as it is.
                publish(json_format.MessageToJson(message).encode(), "application/json")
            except grpc.RpcError as error:
                faults.append(f"{name}: {error.details()}")
        history = channels_grpc.ChannelsStub(channel).History(
            channels.HistoryRequest(channel=arguments.channel, limit=500), metadata=metadata, timeout=30
        )
    if not faults:
        delivered = [event for event in history.events][::2]
        assert len(delivered) == len(messages), f"{len(history.events)} events"
        for event, (name, message) in zip(delivered, messages.items()):
            ours, theirs = json.loads(event.data), json_format.MessageToDict(message)
            if event.content_type not in ("", "application/json"):
                faults.append(f"{name}: delivered as {event.content_type}")
            if repr(sorted_deep(ours)) != repr(sorted_deep(theirs)):
                faults.append(f"{name}: {ours} is not {theirs}")
            back = json_format.Parse(event.data, kinds.EveryKind())
            if back.SerializeToString(deterministic=True) != message.SerializeToString(deterministic=True):
                faults.append(f"{name}: read back it is another message")
    print(json.dumps({"cases": len(messages), "faults": faults}))


def sorted_deep(value):
    """Numbers by value: 1.0 and 1 are the same JSON number."""
    if isinstance(value, dict):
        return sorted((name, sorted_deep(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return [sorted_deep(inner) for inner in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return value


if __name__ == "__main__":
    main()
