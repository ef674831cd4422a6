"""Which addresses processes have dialled, from /proc: a client must never reach legacy by itself."""

import os
import threading
from pathlib import Path

from .processes import family

LISTEN = "0A"


def dialled(pids):
    """Remote ports of the TCP sockets that these processes hold, and did not accept."""
    inodes = set()
    for pid in pids:
        try:
            for link in Path(f"/proc/{pid}/fd").iterdir():
                try:
                    target = os.readlink(link)
                except OSError:
                    continue
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
        except OSError:
            continue
    return {remote for inode, remote in _connections() if inode in inodes}


def _connections():
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] != LISTEN:
                yield fields[9], int(fields[2].rsplit(":", 1)[1], 16)


class Watch:
    """Looks again and again at what a set of processes dials, in a thread of its own."""

    def __init__(self, processes, every=0.25):
        self._processes = processes
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.ports = set()
        self.looks = 0
        self._thread.start()

    def _run(self):
        while not self._over.wait(self._every):
            pids = {pid for process in self._processes() if process.poll() is None for pid in family(process.pid)}
            self.ports |= dialled(pids)
            self.looks += 1

    def end(self):
        """Every port seen."""
        self._over.set()
        self._thread.join()
        return self.ports
