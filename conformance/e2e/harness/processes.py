"""Starts processes, finds their children, stops them by pid; picks free loopback ports."""

import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path


class Failure(Exception):
    """Something that a scenario cannot go on without."""


def free_block(count):
    """The first of `count` free loopback ports in a row, below the range of outgoing connections."""
    for _ in range(500):
        base = random.randrange(15000, 32000 - count)
        if all(_is_free(base + step) for step in range(count)):
            return base
    raise Failure(f"no {count} free ports in a row")


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def family(pid):
    """`pid` and all its descendants that live."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, open_ends = [], [pid]
    while open_ends:
        one = open_ends.pop()
        found.append(one)
        open_ends.extend(parents.get(one, []))
    return found


def stop(process, seconds=20):
    """TERM, then KILL for the process and what it started. True if TERM was enough."""
    if process.poll() is not None:
        return True
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        for pid in family(process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()
        return False


def wait_for(what, condition, seconds, every=0.1):
    """Waits until `condition()` is true and returns its value; a [`Failure`] that names `what` when it is too late."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(every)
