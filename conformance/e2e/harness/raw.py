"""Requests about transactions written byte by byte, in versions without tagged fields; answers as error codes."""

import socket
import struct
import time


def string(text):
    """A nullable string."""
    if text is None:
        return struct.pack(">h", -1)
    return struct.pack(">h", len(text.encode())) + text.encode()


def array(items):
    """An array of what is encoded already."""
    return struct.pack(">i", len(items)) + b"".join(items)


def crc32c(data):
    """Castagnoli's checksum, bit by bit: batches here are small."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def batch(producer, epoch, sequence, transactional=True):
    """A batch of one record."""
    record = bytes([0, 0, 0, 1, 2]) + b"v" + bytes([0])
    record = bytes([len(record) * 2]) + record
    now = int(time.time() * 1000)
    checked = struct.pack(">hiqqqhii", 0x10 if transactional else 0, 0, now, now, producer, epoch, sequence, 1) + record
    rest = struct.pack(">ibI", -1, 2, crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


class Raw:
    """One connection."""

    def __init__(self, bootstrap):
        host, port = bootstrap.split(",")[0].rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), 30)
        self.serial = 0

    def ask(self, api, version, body):
        """The body of the answer."""
        self.serial += 1
        frame = struct.pack(">hhi", api, version, self.serial) + string("raw") + body
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        size = struct.unpack(">i", self._take(4))[0]
        return self._take(size)[4:]

    def _take(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError("closed")
            data += more
        return data

    def close(self):
        """Closes it."""
        self.socket.close()

    def find(self, key, kind):
        """FindCoordinator 1: the code. A broker that has no such coordinator yet makes one."""
        return struct.unpack(">h", self.ask(10, 1, string(key) + struct.pack(">b", kind))[4:6])[0]

    def init(self, name, timeout_ms=60_000):
        """InitProducerId 1: (code, producer id, epoch)."""
        answer = self.ask(22, 1, string(name) + struct.pack(">i", timeout_ms))
        return struct.unpack(">hqh", answer[4:16])

    def add_partitions(self, name, producer, epoch, topic, partitions, version=2):
        """AddPartitionsToTxn: the codes of the partitions."""
        listed = array([struct.pack(">i", number) for number in partitions])
        body = string(name) + struct.pack(">qh", producer, epoch) + array([string(topic) + listed])
        answer = self.ask(24, version, body)
        at = 4 + 4 + 2 + len(topic) + 4
        return [struct.unpack(">ih", answer[at + 6 * n: at + 6 * n + 6])[1] for n in range(len(partitions))]

    def add_offsets(self, name, producer, epoch, group, version=2):
        """AddOffsetsToTxn: the code."""
        body = string(name) + struct.pack(">qh", producer, epoch) + string(group)
        return struct.unpack(">h", self.ask(25, version, body)[4:6])[0]

    def end(self, name, producer, epoch, commit, version=2):
        """EndTxn: the code."""
        body = string(name) + struct.pack(">qhb", producer, epoch, int(commit))
        return struct.unpack(">h", self.ask(26, version, body)[4:6])[0]

    def commit_offset(self, name, group, producer, epoch, topic, offset, version=2):
        """TxnOffsetCommit of partition 0: the code."""
        epochs = struct.pack(">i", -1) if version >= 2 else b""
        place = struct.pack(">iq", 0, offset) + epochs + string("")
        topics = array([string(topic) + array([place])])
        body = string(name) + string(group) + struct.pack(">qh", producer, epoch) + topics
        return struct.unpack(">h", self.ask(28, version, body)[-2:])[0]

    def produce(self, name, topic, partition, records, version=7):
        """Produce of one batch: the code."""
        part = struct.pack(">ii", partition, len(records)) + records
        body = string(name) + struct.pack(">hi", -1, 30_000) + array([string(topic) + array([part])])
        answer = self.ask(0, version, body)
        return struct.unpack(">h", answer[4 + 2 + len(topic) + 4 + 4:][:2])[0]


# COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS.
PASSING = (14, 15, 16, 51)


def settled(act, seconds=30):
    """What `act` answers once it is none of the codes that pass."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = act()
        code = answer[0] if isinstance(answer, (tuple, list)) else answer
        if code not in PASSING:
            return answer
        time.sleep(0.05)
    return answer


def codes(bootstrap, name, topic):
    """Codes of requests in and out of order, by what they are. `name` is a transactional id that nobody has used."""
    raw = Raw(bootstrap)
    group = f"{name}-group"
    seen = {}
    try:
        settled(lambda: raw.find(name, 1))
        settled(lambda: raw.find(group, 0))
        settled(lambda: raw.init(f"{name}-first"))
        seen["a time-out of nothing"] = raw.init(name, 0)[0]
        seen["a time-out over the limit"] = raw.init(name, 900_001)[0]
        seen["an empty id"] = raw.init("")[0]
        code, producer, epoch = settled(lambda: raw.init(name))
        seen["init"] = (code, epoch)
        known = (name, producer, epoch)
        seen["end of nothing"] = [raw.end(*known, True), raw.end(*known, False)]
        seen["end by an unknown id"] = raw.end("nobody", producer, epoch, True)
        seen["end with an empty id"] = raw.end("", producer, epoch, True)
        seen["end by another producer id"] = raw.end(name, producer + 1000, epoch, True)
        seen["end by another epoch"] = [raw.end(name, producer, epoch + 1, True),
                                        raw.end(name, producer, epoch + 1, True, 1)]
        seen["add by an unknown id"] = raw.add_partitions("nobody", producer, epoch, topic, [0])
        seen["add by another producer id"] = raw.add_partitions(name, producer + 1000, epoch, topic, [0])
        seen["add by another epoch"] = raw.add_partitions(name, producer, epoch + 1, topic, [0]) + raw.add_partitions(
            name, producer, epoch + 1, topic, [0], 1)
        seen["add with an unknown partition"] = sorted(raw.add_partitions(*known, topic, [0, 99]))
        seen["add offsets by an unknown id"] = raw.add_offsets("nobody", producer, epoch, group)
        seen["add offsets of no group"] = raw.add_offsets(*known, "")
        seen["add offsets by another epoch"] = [raw.add_offsets(name, producer, epoch + 1, group),
                                                raw.add_offsets(name, producer, epoch + 1, group, 1)]
        seen["offsets that were not added"] = raw.commit_offset(name, group, producer, epoch, topic, 1)
        seen["a batch that was not added"] = raw.produce(name, topic, 0, batch(producer, epoch, 0))
        seen["a batch without an id"] = raw.produce(None, topic, 0, batch(producer, epoch, 0))
        seen["add"] = settled(lambda: raw.add_partitions(*known, topic, [0, 1]))
        seen["a batch"] = raw.produce(name, topic, 0, batch(producer, epoch, 0))
        seen["the same again"] = raw.produce(name, topic, 0, batch(producer, epoch, 0))
        seen["a gap in the sequence"] = raw.produce(name, topic, 0, batch(producer, epoch, 5))
        seen["a plain batch of the producer"] = raw.produce(None, topic, 0, batch(producer, epoch, 1, False))
        seen["add offsets"] = settled(lambda: raw.add_offsets(*known, group))
        seen["offsets"] = raw.commit_offset(name, group, producer, epoch, topic, 1)
        seen["offsets of an older version"] = raw.commit_offset(name, group, producer, epoch, topic, 1, 1)
        seen["offsets of an unknown topic"] = raw.commit_offset(name, group, producer, epoch, "no-such-topic", 1)
        seen["commit"] = settled(lambda: raw.end(*known, True))
        seen["commit again"] = settled(lambda: raw.end(*known, True))
        seen["abort what is committed"] = settled(lambda: raw.end(*known, False))
        seen["a late batch"] = raw.produce(name, topic, 0, batch(producer, epoch, 1))
        seen["late offsets"] = raw.commit_offset(name, group, producer, epoch, topic, 2)
        seen["add for the next"] = settled(lambda: raw.add_partitions(*known, topic, [0]))
        seen["a batch of the next"] = raw.produce(name, topic, 0, batch(producer, epoch, 1))
        code, heir, heir_epoch = raw.init(name)
        seen["init while one is open"] = code
        code, heir, heir_epoch = settled(lambda: raw.init(name))
        seen["init when it is aborted"] = (code, heir == producer, heir_epoch)
        seen["a zombie's batch"] = raw.produce(name, topic, 0, batch(producer, epoch, 2))
        seen["a zombie's batch elsewhere"] = raw.produce(name, topic, 2, batch(producer, epoch, 0))
        seen["a zombie's add"] = raw.add_partitions(*known, topic, [0])
        seen["a zombie's offsets"] = raw.commit_offset(name, group, producer, epoch, topic, 3)
        seen["a zombie's end"] = [raw.end(*known, True), raw.end(*known, True, 1)]
        seen["abort by the heir of nothing"] = raw.end(name, heir, heir_epoch, False)
    finally:
        raw.close()
    return seen
