"""The programs that are measured: each started here, on free loopback ports, and stopped by its pid."""

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from measure import call

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "conformance" / "peers"
# Kafka's own defaults for a server, in place of the short-lived ones that the tests use.
JVM = "-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35"
HEAP = "1g"


class Stack:
    """Everything that was started, for stopping it."""

    def __init__(self, folder, wire, sluice):
        self.folder, self.wire_path, self.sluice_path = folder, wire, sluice
        self.processes, self.kafkas = [], []
        self.next_port = 20_000 + os.getpid() % 5_000

    def port(self, count=1):
        """The first of `count` free ports in a row, below those that the system hands out."""
        while True:
            first = self.next_port
            self.next_port = first + count
            if all(_free(port) for port in range(first, first + count)):
                return first

    def wire(self, command, timeout=300, **settings):
        """One command of the raw client; returns its object."""
        pairs = [f"{key.replace('_', '-')}={value}" for key, value in settings.items()]
        return json.loads(call([self.wire_path, command, *pairs], timeout))

    def spawn(self, command, **more):
        process = subprocess.Popen([str(each) for each in command], **more)
        self.processes.append(process)
        return process

    def kafka(self, name, **settings):
        """A real Kafka, one node: (address, pid)."""
        place = self.folder / name
        environment = os.environ | {"SLUICE_KAFKA_JVM": JVM, "SLUICE_KAFKA_HEAP": HEAP}
        pairs = [part for key, value in settings.items() for part in ("--set", f"{key.replace('_', '.')}={value}")]
        told = call([PEERS / "kafka", "start", "--version", "4", "--nodes", "1", "--dir", place, *pairs], env=environment)
        self.kafkas.append(place)
        address = next(line[10:] for line in told.splitlines() if line.startswith("bootstrap="))
        return address, int((place / "node1" / "pid").read_text().split()[0])

    def sink(self, broker):
        """Stands in the broker's place and answers Produce and Fetch from nothing: (address, pid)."""
        process = self.spawn([self.wire_path, "sink", "listen=127.0.0.1:0", f"broker={broker}"], stdout=subprocess.PIPE, text=True)
        return f"127.0.0.1:{json.loads(process.stdout.readline())['port']}", process.pid

    def haproxy(self, name, behind, splice=False):
        """HAProxy in TCP mode, its own defaults, one process in the foreground: (address, pid)."""
        place, port = self.folder / name, self.port()
        place.mkdir()
        spliced = "    option splice-request\n    option splice-response\n" if splice else ""
        (place / "haproxy.cfg").write_text(
            f"global\n    maxconn 2000\n{'    tune.pipesize 1048576' if splice else ''}\n"
            f"defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n{spliced}"
            f"listen through\n    bind 127.0.0.1:{port}\n    server behind {behind}\n"
        )
        log = open(place / "log", "ab")
        process = self.spawn([haproxy_path(), "-db", "-f", place / "haproxy.cfg"], stdout=log, stderr=log)
        end = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return f"127.0.0.1:{port}", process.pid
            time.sleep(0.05)
        raise RuntimeError(f"{name} does not answer: {(place / 'log').read_text()[-800:]}")

    def end(self, process):
        """Ends one of the processes before the others."""
        process.terminate()
        process.wait(60)

    def sluice(self, name, kernel="", legacy=None, migrations=()):
        """One sluice: a proxy if there is a legacy cluster, otherwise the kernel alone."""
        return Sluice(self, name, kernel, legacy, migrations)

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for place in self.kafkas:
            call([PEERS / "kafka", "stop", "--dir", place])


class Sluice:
    """A running sluice."""

    def __init__(self, stack, name, kernel, legacy, migrations):
        place = stack.folder / name
        place.mkdir(parents=True, exist_ok=True)
        first = stack.port(6)
        self.stack, self.name = stack, name
        self.address, self.admin = f"127.0.0.1:{first}", f"127.0.0.1:{first + 1}"
        text = f'[kernel]\npath = "{place}/data"\n{kernel}\n[admin]\nlisten = "{self.admin}"\n[log]\nlevel = "warn"\n'
        if legacy is None:
            text += f'[kernel.kafka]\nlisten = "{self.address}"\n'
        else:
            text += (
                f'[[cluster]]\nname = "c"\nprotocol = "kafka"\nlegacy = ["{legacy}"]\nlisten = "{self.address}"\n'
                f'ports = "{first + 2}-{first + 4}"\nkernel_listen = "127.0.0.1:{first + 5}"\n'
            )
            text += "".join(
                f'[[migration]]\nname = "{each["name"]}"\ncluster = "c"\ntopics = {json.dumps(each["topics"])}\n'
                f'groups = {json.dumps(each.get("groups", []))}\naccept_single_copy = true\n'
                for each in migrations
            )
        (place / "sluice.toml").write_text(text)
        log = open(place / "log", "ab")
        self.process = stack.spawn([stack.sluice_path, "run", "--config", place / "sluice.toml"], stdout=log, stderr=log)
        self.pid = self.process.pid
        self._wait(place)

    def _wait(self, place):
        """Ready once a client is told where the brokers are."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: {(place / 'log').read_text()[-800:]}")
            try:
                call([self.stack.sluice_path, "--admin", self.admin, "status"])
                call([self.stack.wire_path, "idle", f"to={self.address}", "connections=1"], 10, stdin=subprocess.DEVNULL)
                return
            except (RuntimeError, ValueError, subprocess.TimeoutExpired):
                time.sleep(0.1)
        raise RuntimeError(f"{self.name} is not ready: {(place / 'log').read_text()[-800:]}")

    def ask(self, *words, timeout=120):
        """One administrative command; returns its object."""
        told = call([self.stack.sluice_path, "--json", "--admin", self.admin, *words], timeout)
        return json.loads(told) if told.strip() else {}

    def advance(self, migration, phase, seconds=60):
        """Goes on to a phase as soon as its gate is green."""
        end = time.monotonic() + seconds
        while True:
            try:
                return self.ask("advance", migration, phase, f"--wait={seconds}", timeout=seconds + 30)
            except RuntimeError as error:
                if "is red" not in str(error) or time.monotonic() > end:
                    raise
            time.sleep(0.1)


def haproxy_path():
    """Where HAProxy is, if it is installed; Debian keeps it where only root looks."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")


def _free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
