"""Asks a broker for its metadata over a raw socket.

A port that accepts says nothing about a broker that is still fenced, so readiness means: the broker answers a
Metadata request and lists the brokers that are wanted, itself among them.
"""

import socket
import struct

METADATA_KEY = 3
METADATA_VERSION = 1  # the oldest version that both 3.9 and 4.x answer with a controller id
ANSWER_BYTES_MAX = 1 << 20


def brokers(port, timeout_s=2.0):
    """The metadata of the broker at 127.0.0.1:`port`: ({node id: (host, port)}, controller id).

    Raises OSError or ValueError when the broker does not answer, or not in full.
    """
    client = b"readiness"
    header = struct.pack(">hhih", METADATA_KEY, METADATA_VERSION, 1, len(client)) + client
    body = header + struct.pack(">i", 0)  # an empty list of topics: brokers only
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as link:
        link.settimeout(timeout_s)
        link.sendall(struct.pack(">i", len(body)) + body)
        size = struct.unpack(">i", _exactly(link, 4))[0]
        if not 4 <= size <= ANSWER_BYTES_MAX:
            raise ValueError(f"answer of {size} bytes")
        return _parse(_exactly(link, size))


def _exactly(link, size):
    taken = b""
    while len(taken) < size:
        part = link.recv(size - len(taken))
        if not part:
            raise ValueError("connection closed")
        taken += part
    return taken


def _parse(answer):
    at = 4  # past the correlation id
    count = struct.unpack_from(">i", answer, at)[0]
    at += 4
    found = {}
    for _ in range(count):
        node = struct.unpack_from(">i", answer, at)[0]
        host, at = _text(answer, at + 4)
        port = struct.unpack_from(">i", answer, at)[0]
        _rack, at = _text(answer, at + 4)
        found[node] = (host, port)
    controller = struct.unpack_from(">i", answer, at)[0]
    return found, controller


def _text(answer, at):
    size = struct.unpack_from(">h", answer, at)[0]
    at += 2
    if size < 0:
        return None, at
    return answer[at : at + size].decode(), at + size
