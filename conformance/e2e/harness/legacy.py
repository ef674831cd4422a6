"""The real Kafka: `conformance/peers/kafka` with a folder of its own."""

import subprocess
from pathlib import Path

from .processes import Failure

PEERS = Path(__file__).resolve().parents[2] / "peers"


class Legacy:
    """A cluster that runs from construction to `end`."""

    def __init__(self, folder, version="4", nodes=1, settings=(), secured=False):
        self.folder = folder
        self.version = version
        self.nodes = nodes
        # What `start` printed: bootstrap, and with `secured` the listeners for SASL and TLS and what they need.
        self.told = {}
        self._call("start", "--version", version, "--nodes", str(nodes), *(x for s in settings for x in ("--set", s)),
                   *(["--sasl", "--tls"] if secured else []))

    def _call(self, command, *arguments, timeout=180):
        done = subprocess.run(
            [PEERS / "kafka", command, "--dir", self.folder, *arguments],
            capture_output=True, text=True, timeout=timeout, check=False,
        )
        if done.returncode != 0:
            raise Failure(f"kafka {command}: {done.stderr.strip()}")
        for line in done.stdout.splitlines():
            name, _, value = line.partition("=")
            self.told[name] = value
        self.bootstrap = self.told.get("bootstrap", "")

    @property
    def addresses(self):
        """host:port of every broker."""
        return self.bootstrap.split(",")

    @property
    def ports(self):
        """Ports of every broker."""
        return {int(address.rsplit(":", 1)[1]) for address in self.addresses}

    def start(self, node=None):
        """Starts what is stopped of it."""
        self._call("start", *_node(node))

    def kill(self, node=None):
        """KILL."""
        self._call("stop", "--kill", *_node(node))

    def stop(self, node=None):
        """TERM."""
        self._call("stop", *_node(node))

    def pause(self, node=None):
        """SIGSTOP."""
        self._call("pause", *_node(node))

    def resume(self, node=None):
        """SIGCONT."""
        self._call("resume", *_node(node))

    def end(self):
        """Stops it for good; its data is thrown away with the folder."""
        self._call("resume")
        self._call("stop", "--kill")


def _node(node):
    return [] if node is None else ["--node", str(node)]
