"""One JSON line for each thing that happened, in the words that every test program here uses."""

import json
import signal
import sys
import time


def now_ms():
    return int(time.time() * 1000)


def emit(op, **fields):
    """Writes one line; `flush` sends it on."""
    sys.stdout.write(json.dumps({"op": op, **fields, "t_ms": now_ms()}, separators=(",", ":")) + "\n")


def flush():
    sys.stdout.flush()


class Stop:
    """Turns true at SIGTERM or SIGINT."""

    def __init__(self):
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def _ask(self, _number, _frame):
        self.asked = True


class Pace:
    """Spreads work evenly at `rate` a second; 0 means as fast as it goes."""

    def __init__(self, rate):
        self._rate = rate
        self._begun = time.monotonic()
        self._done = 0

    def wait_s(self):
        """Seconds until the next one is due, 0 when it is."""
        if self._rate <= 0:
            return 0.0
        return max(0.0, self._begun + self._done / self._rate - time.monotonic())

    def count(self):
        self._done += 1


def value_of(client, seq, size):
    """The unique value of a record: client:sequence, padded to `size` bytes with a colon and x."""
    value = f"{client}:{seq:06d}"
    return value if len(value) >= size else value + ":" + "x" * (size - len(value) - 1)


def name_of(value):
    """A value without its padding; one with damaged padding stays whole, so that it cannot pass for the original."""
    if value is None:
        return None
    text = value.decode("utf-8", "replace")
    head, colon, padding = text.rpartition(":")
    return head if colon and ":" in head and not padding.strip("x") else text
