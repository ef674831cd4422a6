"""librdkafka's own tests (`conformance/peers/install librdkafka`): one process of their runner for each."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

from .legacy import PEERS
from .processes import Failure, stop
from .sluice import ROOT

# Its tests of the wire, by what they are about; those that need no broker, other listeners (SASL, TLS), several nodes or
# tools that are not here are left out. Some names stand for several tests: the runner takes them as a beginning.
SUBJECTS = {
    "produce": ("0001", "0002", "0003", "0005", "0007", "0008", "0011", "0012", "0013", "0017", "0048", "0055_producer_latency",
                "0070", "0073", "0085", "0086_purge_remote", "0092", "0110", "0111", "0114", "0125_immediate_flush", "0149"),
    "consume": ("0014", "0015", "0022_consume_batch", "0026", "0029", "0031_get_offsets", "0034_offset_reset", "0036", "0041",
                "0042", "0050", "0051", "0052", "0054", "0059", "0060", "0061", "0065", "0067", "0082", "0083", "0093", "0112",
                "0123", "0127", "0137"),
    "groups": ("0018", "0019", "0020", "0028", "0030", "0033_regex_subscribe", "0040", "0044", "0045", "0056", "0064", "0089",
               "0091", "0099", "0102_static_group_rebalance", "0107", "0113_cooperative_rebalance", "0118", "0122", "0130",
               "0132", "0140", "0153"),
    "transactions": ("0090", "0094", "0098", "0103_transactions", "0129"),
    "administration": ("0016", "0035", "0053_stats", "0057", "0063", "0069", "0081", "0084_destroy_flags", "0109"),
}
# Scripts that the tests call by these names; they are ours, and call Kafka's own tools.
SCRIPTS = {"kafka-topics.sh": "topics", "kafka-configs.sh": "configs", "kafka-acls.sh": "org.apache.kafka.tools.AclCommand"}
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Suite:
    """The runner, and a folder for what it writes."""

    def __init__(self, folder, version):
        home = Path(os.environ.get("SLUICE_PEERS", ROOT / ".peers")) / "librdkafka"
        self.tests = home / "tests"
        if not (home / ".ready").exists():
            raise Failure("librdkafka's tests are not built: conformance/peers/install librdkafka")
        self.folder = folder
        self.libraries = f"{home / 'src'}:{home / 'src-cpp'}"
        self.version = version
        scripts = folder / "kafka" / "bin"
        scripts.mkdir(parents=True)
        for name, tool in SCRIPTS.items():
            path = scripts / name
            path.write_text(f'#!/bin/sh\nexec "{PEERS / "ktool"}" {tool} "$@"\n', encoding="utf-8")
            path.chmod(0o755)

    def names(self):
        """Names of all its tests."""
        source = (self.tests / "test.c").read_text(encoding="utf-8")
        return re.findall(r"^ +_TEST\((\w+)", source, re.MULTILINE)

    def run(self, name, bootstrap, side, seconds):
        """Runs one test: (passed | failed | skipped | hung, seconds, what it said at the end)."""
        path = self.folder / f"{name}-{side}"
        conf, log, told = path.with_suffix(".conf"), path.with_suffix(".log"), path.with_suffix(".json")
        conf.write_text(f"bootstrap.servers={bootstrap}\ntest.topic.random=true\ntest.timeout.multiplier=2\n", encoding="utf-8")
        told.unlink(missing_ok=True)
        environment = dict(os.environ, TESTS=name, RDKAFKA_TEST_CONF=str(conf), TEST_REPORT=str(told), BROKERS=bootstrap,
                           LD_LIBRARY_PATH=self.libraries, TEST_KAFKA_VERSION=self.version, KAFKA_PATH=str(self.folder / "kafka"))
        begun = time.monotonic()
        with open(log, "wb") as out:
            # In a session of its own: it stops everything in its process group when it ends.
            process = subprocess.Popen(["./test-runner", "-p1", "-Q", "-L", "-K"], cwd=self.tests, env=environment, stdout=out,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            try:
                process.wait(seconds)
                hung = False
            except subprocess.TimeoutExpired:
                stop(process, 2)
                hung = True
        return ("hung" if hung else state(told, name)), round(time.monotonic() - begun, 1), complaint(log)


def state(told, name):
    """What the runner reports of a test."""
    try:
        found = json.loads(told.read_text(encoding="utf-8", errors="replace"), strict=False)["tests"]
    except (OSError, ValueError, KeyError):
        return "failed"
    return {"PASSED": "passed", "SKIPPED": "skipped"}.get(found.get(name, {}).get("state"), "failed")


def complaint(log):
    """The line in which a test says why it failed or was left out; empty if it did neither."""
    lines = [COLOURS.sub("", line).strip() for line in log.read_text(errors="replace").splitlines()]
    marked = [line for line in lines if "TEST FAILURE" in line or "Test failed" in line or "SKIPPING TEST" in line]
    for index, line in enumerate(lines):
        if "### Test \"" in line or line.startswith("### Test"):
            marked.insert(0, " ".join(lines[index:index + 2]))
            break
    return marked[0][:400] if marked else ""
