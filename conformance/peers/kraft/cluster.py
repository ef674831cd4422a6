"""A cluster in a folder: its description in cluster.json, one folder a node with data, log and pid file."""

import base64
import json
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import probe, settings

ROOT = Path(__file__).resolve().parents[3]
PEERS = Path(os.environ.get("SLUICE_PEERS") or ROOT / ".peers")
# Below the range that the system takes for outgoing connections (32768 and up on Linux): a node that is stopped
# for a while must find its port free when it comes back.
PORTS = (10_000, 32_000)
NODE_COUNTS = (1, 3)


class Failure(Exception):
    """Something the caller can be told in one line."""


def jars(version):
    """The folder with the jars of Kafka `version` ("4" or "3")."""
    folder = PEERS / f"kafka{version}"
    if not (folder / ".ready").exists():
        raise Failure(f"{folder} is not installed: run conformance/peers/install kafka{version}")
    return folder


def load(folder):
    """The description of the cluster in `folder`."""
    try:
        return json.loads((folder / "cluster.json").read_text())
    except FileNotFoundError:
        raise Failure(f"no cluster in {folder}") from None


def save(folder, cluster):
    """Writes the description of the cluster in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cluster.json").write_text(json.dumps(cluster, indent=1) + "\n")


def describe(version, count, base_port, sasl, tls):
    """A new cluster of `count` nodes: the ports from `base_port` up, or free ones when it is None."""
    if count not in NODE_COUNTS:
        raise Failure(f"{count} nodes: 1 or 3 are supported")
    kinds = ["port", "controller"] + (["sasl"] if sasl else []) + (["tls"] if tls else [])
    wanted = count * len(kinds)
    ports = list(range(base_port, base_port + wanted)) if base_port else _free_ports(wanted)
    nodes = []
    for index in range(count):
        # All client ports first: with a base port, BASE..BASE+count-1 are the bootstrap list.
        nodes.append({"id": index + 1, **{kind: ports[count * k + index] for k, kind in enumerate(kinds)}})
    return {
        "version": version,
        "cluster_id": base64.urlsafe_b64encode(b"\x01" + random.randbytes(15)).decode().rstrip("="),
        "sasl": sasl,
        "tls": tls,
        "set": {},
        "nodes": nodes,
    }


def _free_ports(count):
    found = set()
    for _ in range(10_000):
        port = random.randint(*PORTS)
        if port not in found and _is_free(port):
            found.add(port)
        if len(found) == count:
            return sorted(found)
    raise Failure("no free ports")


def _is_free(port):
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def home(folder, node):
    """The folder of one node."""
    return folder / f"node{node['id']}"


def prepare(folder, cluster, node):
    """Writes the node's configuration; returns the process that formats its storage, or None when it has data."""
    place = home(folder, node)
    place.mkdir(parents=True, exist_ok=True)
    properties = place / "server.properties"
    properties.write_text("\n".join(settings.lines(cluster, node, place)) + "\n")
    _write_log_settings(place)
    if (place / "data" / "meta.properties").exists():
        return None
    command = _java(cluster, place, "128m") + [
        "kafka.tools.StorageTool", "format", "-t", cluster["cluster_id"], "-c", str(properties),
        *settings.format_arguments(cluster),
    ]
    return _spawn(command, place / "format.log")


def _write_log_settings(place):
    layout = "[%d] %p %m (%c)%n"
    (place / "log4j2.properties").write_text(
        "rootLogger.level=INFO\nrootLogger.appenderRef.out.ref=OUT\nappender.out.type=Console\n"
        f"appender.out.name=OUT\nappender.out.layout.type=PatternLayout\nappender.out.layout.pattern={layout}\n"
    )
    (place / "log4j.properties").write_text(
        "log4j.rootLogger=INFO, OUT\nlog4j.appender.OUT=org.apache.log4j.ConsoleAppender\n"
        "log4j.appender.OUT.layout=org.apache.log4j.PatternLayout\n"
        f"log4j.appender.OUT.layout.ConversionPattern={layout.replace('%n', '%n')}\n"
    )


def _java(cluster, place, heap):
    folder = jars(cluster["version"])
    flags = os.environ.get("SLUICE_KAFKA_JVM", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC").split()
    archive = folder / "classes.jsa"
    if archive.exists():
        flags += [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto"]
    logs = f"-Dlog4j2.configurationFile={place}/log4j2.properties"
    if cluster["version"] == "3":
        logs = f"-Dlog4j.configuration=file:{place}/log4j.properties"
    # The archive of classes is only used when the class path is the one it was made with: sorted, not a wildcard.
    path = ":".join(sorted(str(jar) for jar in folder.glob("*.jar")))
    return ["java", f"-Xmx{heap}", *flags, logs, f"-Dkafka.logs.dir={place}", "-cp", path]


def _spawn(command, log):
    with open(log, "ab") as sink:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)


def launch(folder, cluster, node, extra_flags=()):
    """Starts the broker of `node`, which must be prepared, and writes its pid file."""
    place = home(folder, node)
    for kind in ("port", "controller", "sasl", "tls"):
        if kind in node and not _is_free(node[kind]):
            raise Failure(f"port {node[kind]} of node {node['id']} is taken")
    command = _java(cluster, place, os.environ.get("SLUICE_KAFKA_HEAP", "384m"))
    command = [command[0], *extra_flags, *command[1:], "kafka.Kafka", str(place / "server.properties")]
    process = _spawn(command, place / "server.log")
    (place / "pid").write_text(f"{process.pid} {_born(process.pid)}\n")


def _born(pid):
    """When a process started, in clock ticks since boot; None when there is no such process (or only its remains)."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if after_name[0] == "Z" else after_name[19]


def pid_of(folder, node):
    """The pid of a running node, or None. A pid that another process has taken since does not count."""
    try:
        pid, born = (home(folder, node) / "pid").read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if _born(int(pid)) == born else None


def wait_ready(folder, cluster, nodes, wanted_ids, seconds):
    """Waits until each of `nodes` answers with at least `wanted_ids` as brokers and a controller."""
    end = time.monotonic() + seconds
    for node in nodes:
        while not _is_ready(node, wanted_ids):
            if pid_of(folder, node) is None:
                raise Failure(f"node {node['id']} ended:\n{tail(home(folder, node) / 'server.log')}")
            if time.monotonic() > end:
                raise Failure(f"node {node['id']} not ready in {seconds} s:\n{tail(home(folder, node) / 'server.log')}")
            time.sleep(0.1)


def _is_ready(node, wanted_ids):
    try:
        found, controller = probe.brokers(node["port"])
    except (OSError, ValueError, LookupError):
        return False
    except Exception as error:  # struct.error on a torn answer
        if type(error).__name__ == "error":
            return False
        raise
    return controller >= 0 and wanted_ids <= set(found)


def tail(path, count=25):
    """The last lines of a log."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return "(no log)"


def send_signal(folder, nodes, number):
    """Sends a signal to the running ones among `nodes`; returns their pids."""
    sent = []
    for node in nodes:
        pid = pid_of(folder, node)
        if pid is not None:
            os.kill(pid, number)
            sent.append(pid)
    return sent


def stop(folder, nodes, seconds, at_once=False):
    """Stops `nodes`: TERM first, KILL after `seconds`, or KILL `at_once`. Returns the ids that had to be killed."""
    send_signal(folder, nodes, signal.SIGCONT)
    send_signal(folder, nodes, signal.SIGKILL if at_once else signal.SIGTERM)
    end = time.monotonic() + seconds
    killed = []
    for node in nodes:
        while pid_of(folder, node) is not None:
            if time.monotonic() > end and node["id"] not in killed:
                send_signal(folder, [node], signal.SIGKILL)
                killed.append(node["id"])
            time.sleep(0.05)
        (home(folder, node) / "pid").unlink(missing_ok=True)
    return killed
