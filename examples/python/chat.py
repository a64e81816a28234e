"""A chat backend: clients call `chat.say`, and the reply publishes what they say to the room.

`say` is the application; below it is what connects any methods to the hub (fanline.v1.CommandBus).
"""

import json
import os
import pathlib
import queue
import random
import signal
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "proto"))
messages, services = grpc.protos_and_services("fanline/v1/commands.proto")
publisher = grpc.protos("fanline/v1/publisher.proto")

MAX_IN_FLIGHT = 64


class Refusal(Exception):
    """Why a command is not done; the client gets the name of the code as the reason, and the message."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def say(data, command):
    # The hub has checked that the client may follow this channel, and who the client is.
    if not command.channel.startswith("chat:"):
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "channel: say it in a room, chat:…")
    text = data.get("text") if isinstance(data, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "data.text: say something")
    message = publisher.PublishRequest(
        channel=command.channel,
        type="message",
        data=json.dumps({"text": text}).encode(),
        headers={"user": command.user},
    )
    return messages.CommandReply(data=json.dumps({"said": text}).encode(), publish=[message])


METHODS = {"chat.say": say}


def answer(command):
    try:
        reply = METHODS[command.method](json.loads(command.data), command)
    except Refusal as refusal:
        reply = refused(refusal.code, str(refusal))
    except Exception:
        # What went wrong inside is nothing for clients.
        traceback.print_exc()
        reply = refused(grpc.StatusCode.INTERNAL, "the backend failed")
    reply.id = command.id
    return messages.ServeRequest(reply=reply)


def refused(code, message):
    reply = messages.CommandReply()
    reply.error.code, reply.error.message = code.value[0], message
    return reply


class Worker:
    def __init__(self, channel, metadata):
        self.bus = services.CommandBusStub(channel)
        self.metadata = metadata
        self.stopping = threading.Event()
        # Bounded by what the hub lets be outstanding; None ends a stream's requests.
        self.requests = queue.Queue()

    def run(self):
        while not self.stopping.is_set():
            try:
                self.serve()
            except grpc.RpcError as error:
                refusals = (
                    grpc.StatusCode.UNAUTHENTICATED,
                    grpc.StatusCode.PERMISSION_DENIED,
                    grpc.StatusCode.INVALID_ARGUMENT,
                )
                if error.code() in refusals:
                    sys.exit(f"the hub refuses: {error.details()}")
            # Not all workers of a hub that was away come back at one moment.
            self.stopping.wait(2 * random.random())

    def serve(self):
        """One stream, to its end."""
        requests = self.requests = queue.Queue()
        register = messages.Register(methods=METHODS, max_in_flight=MAX_IN_FLIGHT)
        requests.put(messages.ServeRequest(register=register))
        try:
            with ThreadPoolExecutor(MAX_IN_FLIGHT) as threads:
                for response in self.bus.Serve(iter(requests.get, None), metadata=self.metadata):
                    item = response.WhichOneof("item")
                    if item == "registered":
                        print("answering", *METHODS, flush=True)
                    elif item == "command":
                        threads.submit(lambda command: requests.put(answer(command)), response.command)
                    elif item == "rejected":
                        print("a reply was not taken:", response.rejected.error.message, file=sys.stderr)
        finally:
            requests.put(None)

    def stop(self, *_signal):
        """No more commands; the hub ends the stream once those that we have are answered."""
        self.stopping.set()
        self.requests.put(messages.ServeRequest(drain=messages.Drain()))


def main():
    url = urlsplit(os.environ.get("FANLINE_URL", "http://127.0.0.1:50051"))
    key = os.environ.get("FANLINE_API_KEY") or sys.exit("set FANLINE_API_KEY")
    # A hub that vanished without a word is noticed, also while no commands come; one that is back, within seconds.
    options = [
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.max_reconnect_backoff_ms", 5_000),
    ]
    if url.scheme == "https":
        channel = grpc.secure_channel(url.netloc, grpc.ssl_channel_credentials(), options)
    else:
        channel = grpc.insecure_channel(url.netloc, options)
    worker = Worker(channel, [("authorization", f"Bearer {key}")])
    signal.signal(signal.SIGINT, worker.stop)
    signal.signal(signal.SIGTERM, worker.stop)
    worker.run()


main()
