#!/usr/bin/env python3
"""Triggers an event in a Proletarier daemon, and waits until the broker has it.

    python3 trigger.py ipc:///srv/shop/data/proletarier/run/events.sock order.placed '{"article": "Apfel"}'
    python3 trigger.py tcp://broker.example:5555 order.placed '{"article": "Apfel"}' BROKERS_PUBLIC_CURVE_KEY

Needs pyzmq (Debian: python3-zmq). The frames are those of docs/protocol.md.
"""

import json
import os
import struct
import sys
import time
import uuid

import zmq

TIMEOUT_MS = 2000
CONFIRM_WANTED = 1
CONFIRM, REFUSED = b"P\x01\x02", b"P\x01\x04"


def text8(text):
    encoded = text.encode()
    return struct.pack("<B", len(encoded)) + encoded


def record(name, params):
    """The event's record: version, id, name, time, no optional fields, params, NUL."""
    encoded = json.dumps(params, ensure_ascii=False, allow_nan=False).encode()
    return (
        b"\x01" + text8(str(uuid.uuid4())) + text8(name)
        + struct.pack("<Q", time.time_ns() // 1000)
        + b"\x00"
        + struct.pack("<I", len(encoded)) + encoded + b"\x00"
    )


def publish(session, first, records):
    """A batch: events numbered on from `first`."""
    body = session + struct.pack("<QI", first, len(records))
    for one in records:
        body += struct.pack("<I", len(one)) + one
    return b"P\x01\x01" + bytes([CONFIRM_WANTED]) + body


def confirmed(frame, session, first):
    """None where the frame is no answer to the batch; else what was refused, by number."""
    if frame[:3] != CONFIRM or frame[4:20] != session:
        return None
    number, _count, exceptions = struct.unpack_from("<QII", frame, 20)
    if number != first:
        return None
    refused, at = {}, 36
    for _ in range(exceptions):
        which, _code, length = struct.unpack_from("<QBH", frame, at)
        refused[which] = frame[at + 11:at + 11 + length].decode()
        at += 11 + length
    return refused


def connect(endpoint, broker_key=None):
    """A DEALER socket. With the broker's public key TCP is encrypted; the own key pair may be another each time."""
    socket = zmq.Context().socket(zmq.DEALER)
    socket.linger = 0
    if broker_key:
        socket.curve_serverkey = broker_key.encode()
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
    socket.connect(endpoint)
    return socket


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    endpoint, name, params = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    socket = connect(endpoint, *sys.argv[4:])
    session, first = os.urandom(16), 1
    socket.send(publish(session, first, [record(name, params)]))
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while socket.poll(max(0, int((deadline - time.monotonic()) * 1000))):
        frame = socket.recv()
        if frame[:3] == REFUSED:
            sys.exit(f"refused: {frame[4:].decode()}")
        refused = confirmed(frame, session, first)
        if refused is not None:
            sys.exit(f"refused: {refused[first]}" if refused else None)
    sys.exit(f"no broker answered at {endpoint} within {TIMEOUT_MS / 1000} s")


main()
