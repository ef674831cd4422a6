"""Just enough of Kafka's wire protocol to read batch headers: sockets and struct, no client library, no code of Sluice.

Versions are old enough that every broker since 2.4 and up to 4.x has them, and none of them is a flexible one.
"""

import socket
import ssl
import struct
import time

METADATA, LIST_OFFSETS, FETCH, SASL_HANDSHAKE, SASL_AUTHENTICATE, DESCRIBE_CONFIGS = 3, 2, 1, 17, 36, 32
TOPIC = 2
EARLIEST, LATEST = -2, -1
# Codes after which the leader is looked for again.
MOVED = {3, 5, 6, 9, 74, 76}


class Refused(Exception):
    """The broker answered with an error."""


def _string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0] if len(values) == 1 else values

    def string(self):
        length = self.take("h")
        return None if length < 0 else self.bytes(length).decode()

    def bytes(self, length):
        data = self.data[self.at:self.at + length]
        self.at += length
        return data


class Connection:
    """One connection to one broker."""

    def __init__(self, address, login=None, tls=False):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        if tls:
            self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=host)
        self.correlation = 0
        if login:
            self._login(*login)

    def _login(self, user, password):
        answer = self.call(SASL_HANDSHAKE, 1, _string("PLAIN"))
        if code := answer.take("h"):
            raise Refused(f"SASL PLAIN is not offered: {code}")
        token = f"\0{user}\0{password}".encode()
        answer = self.call(SASL_AUTHENTICATE, 1, struct.pack(">i", len(token)) + token)
        if code := answer.take("h"):
            raise Refused(f"credentials are refused: {code}")

    def call(self, api, version, body):
        """One request and its answer's body."""
        self.correlation += 1
        frame = struct.pack(">hhi", api, version, self.correlation) + _string("ledger-check") + body
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        length = struct.unpack(">i", self._read(4))[0]
        reader = _Reader(self._read(length))
        if reader.take("i") != self.correlation:
            raise Refused("an answer to another question")
        return reader

    def _read(self, length):
        parts = []
        while length:
            part = self.socket.recv(min(length, 1 << 20))
            if not part:
                raise OSError("the broker closed the connection")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def close(self):
        """Closes it."""
        self.socket.close()


class Cluster:
    """A cluster behind its bootstrap addresses."""

    def __init__(self, bootstrap, login=None, tls=False):
        self.bootstrap = bootstrap.split(",")
        self.login, self.tls = login, tls
        self.connections = {}
        self.nodes = {}
        self.leaders = {}

    def _to(self, address):
        if address not in self.connections:
            self.connections[address] = Connection(address, self.login, self.tls)
        return self.connections[address]

    def close(self):
        """Closes every connection."""
        for connection in self.connections.values():
            connection.close()
        self.connections = {}

    def look(self, topic):
        """Reads where a topic's partitions are."""
        why = None
        for address in self.bootstrap:
            try:
                answer = self._to(address).call(METADATA, 4, struct.pack(">i", 1) + _string(topic) + b"\0")
                break
            except OSError as error:
                self.connections.pop(address, None)
                why = error
        else:
            raise Refused(f"no bootstrap address answers: {why}")
        answer.take("i")
        self.nodes = {}
        for _ in range(answer.take("i")):
            node, host, port = answer.take("i"), answer.string(), answer.take("i")
            answer.string()
            self.nodes[node] = f"{host}:{port}"
        answer.string(), answer.take("i")
        for _ in range(answer.take("i")):
            answer.take("h")
            name = answer.string()
            answer.take("b")
            for _ in range(answer.take("i")):
                _, number, leader = answer.take("h"), answer.take("i"), answer.take("i")
                for _ in range(2):
                    answer.bytes(4 * answer.take("i"))
                self.leaders[name, number] = leader

    def _leader(self, topic, partition):
        if (topic, partition) not in self.leaders:
            self.look(topic)
        node = self.leaders.get((topic, partition), -1)
        if node not in self.nodes:
            raise Refused(f"{topic}/{partition} has no leader")
        return self._to(self.nodes[node])

    def _asked(self, topic, partition, ask):
        why = None
        for attempt in range(10):
            if attempt:
                time.sleep(0.3)
            try:
                code, found = ask(self._leader(topic, partition))
                if code == 0:
                    return found
                why = Refused(f"{topic}/{partition}: error {code}")
                if code not in MOVED:
                    raise why
            except OSError as error:
                why = error
                self.close()
            self.leaders.pop((topic, partition), None)
        raise why

    def end(self, topic, partition, which):
        """First offset, or high watermark."""
        body = struct.pack(">ii", -1, 1) + _string(topic) + struct.pack(">iiq", 1, partition, which)

        def ask(connection):
            answer = connection.call(LIST_OFFSETS, 1, body)
            answer.take("i"), answer.string(), answer.take("ii")
            code, _, offset = answer.take("hqq")
            return code, offset

        return self._asked(topic, partition, ask)

    def compacts(self, topic, partition):
        """Whether a topic is compacted."""
        body = struct.pack(">ib", 1, TOPIC) + _string(topic) + struct.pack(">i", 1) + _string("cleanup.policy") + b"\0"

        def ask(connection):
            answer = connection.call(DESCRIBE_CONFIGS, 1, body)
            answer.take("ii")
            code = answer.take("h")
            answer.string(), answer.take("b"), answer.string()
            policies = []
            for _ in range(answer.take("i")):
                answer.string()
                policies.append(answer.string() or "")
                answer.take("bbb")
                for _ in range(max(0, answer.take("i"))):
                    answer.string(), answer.string(), answer.take("b")
            return code, any("compact" in policy for policy in policies)

        return self._asked(topic, partition, ask)

    def fetch(self, topic, partition, offset):
        """Raw batches from an offset on."""
        most = 4 << 20
        body = struct.pack(">iiiib", -1, 500, 1, most, 0) + struct.pack(">i", 1) + _string(topic)
        body += struct.pack(">iiqi", 1, partition, offset, most)

        def ask(connection):
            answer = connection.call(FETCH, 4, body)
            answer.take("ii"), answer.string(), answer.take("ii")
            code, _, _ = answer.take("hqq")
            aborted = answer.take("i")
            answer.bytes(16 * max(0, aborted))
            return code, answer.bytes(max(0, answer.take("i")))

        return self._asked(topic, partition, ask)

    def batches(self, topic, partition, begin, end):
        """The batches between two offsets: (base offset, end, fingerprint, records, checksum holds)."""
        at = begin
        while at < end:
            data = self.fetch(topic, partition, at)
            position, before = 0, at
            while position + 61 <= len(data):
                base, length = struct.unpack_from(">qi", data, position)
                if position + 12 + length > len(data):
                    break
                magic, crc, _, delta = struct.unpack_from(">bIhi", data, position + 16)
                records = struct.unpack_from(">i", data, position + 57)[0]
                if magic != 2:
                    raise Refused(f"{topic}/{partition}: a batch of format {magic} at {base}")
                body = data[position + 21:position + 12 + length]
                position += 12 + length
                if base + delta < at:
                    continue
                if base >= end:
                    return
                at = base + delta + 1
                yield base, at, fingerprint(crc, body), records, crc32c(body) == crc
            if at == before:
                # Nothing more below the end: offsets may be missing at the end of a log.
                return


def fingerprint(crc, body):
    """What a batch is known by: its checksum; a transaction's marker by what it says, whoever wrote it and when."""
    attributes, _, _, _, producer, epoch = struct.unpack_from(">hiqqqh", body, 0)
    if not attributes & 0x20:
        return crc
    at = 40
    _, at = _varint(body, at)  # length
    _, at = _varint(body, at + 1)  # attributes, timestamp delta
    _, at = _varint(body, at)  # offset delta
    length, at = _varint(body, at)
    version_and_type = body[at:at + length]
    if len(version_and_type) < 4 or version_and_type[2] != 0 or version_and_type[3] > 1:
        return crc
    return crc32c(struct.pack(">qhB", producer, epoch, version_and_type[3]))


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1), at


def _table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC = _table()


def crc32c(data):
    """CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
