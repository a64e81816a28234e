"""What a backend does, whichever way its stubs were made.

`api` has the messages of `fanline.v1` as attributes; `stubs` has `publisher` and `subscriber` with methods that take a
message and call options. The outcome is one line of JSON, which the Rust side compares with what a room has seen.
"""

import argparse
import json

import grpc

DEADLINE = 20


def options():
    parser = argparse.ArgumentParser()
    for name in ("target", "key", "channel"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def run(api, stubs, key, channel):
    call = {"metadata": [("authorization", f"Bearer {key}")], "timeout": DEADLINE}

    published = []
    for n in (1, 2, 3):
        request = api.PublishRequest(
            channel=channel,
            type="note",
            data=json.dumps({"n": n}).encode(),
            idempotency_key=f"event-{n}",
        )
        published.append(stubs.publisher.Publish(request, **call).position)
    again = stubs.publisher.Publish(request, **call)
    assert again.position == published[-1]

    earliest = api.ChannelSelector(channel=channel, earliest=True)
    _, all_events = follow(api, stubs, earliest, 3, call)

    after = api.ChannelSelector(channel=channel, after=published[0])
    subscribed, missed = follow(api, stubs, after, 2, call)

    try:
        stubs.publisher.Publish(request, timeout=DEADLINE)
        refused = None
    except grpc.RpcError as error:
        refused = error.code().name

    print(
        json.dumps(
            {
                "published": [text(position) for position in published],
                "earliest": [text(event.position) for event in all_events],
                "resumed": [text(event.position) for event in missed],
                "recovered": subscribed.recovered,
                "duplicate": again.duplicate,
                "refused": refused,
            }
        )
    )


def follow(api, stubs, selector, count, call):
    """The Subscribed of a stream and its first `count` events."""
    stream = stubs.subscriber.Subscribe(api.SubscribeRequest(channels=[selector]), **call)
    subscribed = next(stream).subscribed
    events = [next(stream).event for _ in range(count)]
    stream.cancel()
    return subscribed, events


def text(position):
    return f"{position.epoch}-{position.offset}"
