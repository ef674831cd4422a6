"""The kernel's disk fills while legacy leads, and again while the kernel does: refused, told, and gone on with."""

import subprocess
import time

from harness.clients import IDEMPOTENT, Traffic, admin, once
from harness.legacy import Legacy
from harness.processes import Failure, wait_for
from harness.report import Workspace, now_ms
from harness.sluice import Sluice, brief

NAME = "orders"
TOPICS = {"orders-a": 2, "orders-b": 1}


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--mib", type=int, default=256, help="size of the disk")
    parser.add_argument("--clients", default="python,java4")
    parser.add_argument("--seconds", type=float, default=8, help="how long the disk is full")


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder, Disk(folder / "disk", chosen.mib) as disk:
        legacy = Legacy(folder / "kafka", chosen.version)
        migration = {"name": NAME, "topics": ["orders-*"], "groups": ["g-*"]}
        sluice = Sluice(folder / "sluice", legacy, [migration], data=disk.path / "data",
                        kernel=["segment_bytes = 4194304"])
        traffic = Traffic(folder / "h", sluice.bootstrap)
        try:
            for topic, partitions in TOPICS.items():
                admin(folder / "h", legacy.bootstrap, "python", "create-topic", "--topic", topic, "--partitions", partitions)
            sluice.start()
            for index, client in enumerate(chosen.clients.split(",")):
                more = ["--idempotent", "true"] if client in IDEMPOTENT else []
                for topic in TOPICS:
                    # Uncompressed: a small batch may still fit where a larger one is refused, for minutes.
                    traffic.write(client, topic, "none", *more, "--value-bytes", 6000)
                traffic.read(client, list(TOPICS)[index % 2], f"g-{client}")
            traffic.running(seconds=120)
            sluice.advance(NAME, "mirror")
            sluice.advance(NAME, "dual-write")
            while_legacy_leads(report, sluice, traffic, disk, chosen.seconds)
            sluice.advance(NAME, "dual-write", 90)
            sluice.advance(NAME, "cutover", 90)
            while_the_kernel_leads(report, sluice, traffic, disk, chosen.seconds)
            restarted(report, sluice, traffic, disk)
            complaints = traffic.end()
            report.check("every group has read everything", not complaints, complaints)
            found = report.judge("all clients", traffic.histories(), 100)
            report.facts["history"] = {k: v for k, v in found.items() if isinstance(v, int)}
        finally:
            disk.free()
            traffic.abandon()
            report.check("sluice stops in order", sluice.end())
            legacy.end()


def while_legacy_leads(report, sluice, traffic, disk, seconds):
    """The mirror stands still; clients are held once, for as long as dual-write may, and go on with legacy alone."""
    disk.fill()
    filled = now_ms()
    red = wait_for("the store to refuse writes", lambda: [each for each in trouble(sluice) if "refuses" in each], 90)
    report.say(f"the gate is red after {now_ms() - filled} ms: {red}")
    time.sleep(seconds)
    settled = now_ms()
    traffic.running(acks=50)
    report.check("full disk in dual-write: clients go on with legacy", True,
                 f"longest pause {traffic.longest_pause_ms(filled, settled)} ms, then {traffic.longest_pause_ms(settled, now_ms())}")
    code, answer = sluice.ask("advance", NAME, "cutover", "--wait=3")
    primaries = {unit["primary"] for unit in sluice.migration(NAME)["units"]}
    report.check("full disk in dual-write: the cutover is refused, with what to do", code != 0 and primaries == {"legacy"},
                 answer.get("error"))
    disk.free()
    traffic.running()


def trouble(sluice):
    """Red requirements that tell of the disk: what is missing, and what to do."""
    gate = sluice.migration(NAME).get("gate") or {}
    return [f"{each['name']}: {each['missing']}; {each['remedy']}" for each in gate.get("requirements", [])
            if not each["green"] and each["name"] in ("disk-room", "kernel-health")]


def while_the_kernel_leads(report, sluice, traffic, disk, seconds):
    """Writes are refused and tried again by the clients; reads of what is there go on; room brings all back."""
    traffic.running()
    disk.fill()
    until = time.monotonic() + 180
    while time.monotonic() < until:
        begun = now_ms()
        time.sleep(1.5)
        if not any(traffic.acknowledged_between(begun, now_ms()).values()):
            break
    full = now_ms()
    time.sleep(seconds)
    acks = sum(traffic.acknowledged_between(full, now_ms()).values())
    report.check("full disk in cutover: nothing is acknowledged that is not kept", acks == 0, f"{acks} acknowledged")
    reader = traffic.folder / "full-reader"
    code, lines = read_all(reader, sluice)
    count = sum(line["op"] == "read" for line in lines)
    report.check("full disk in cutover: what is there can be read", code == 0 and count > 100, f"{count} read")
    shown = trouble(sluice)
    report.check("full disk in cutover: the operator is told", shown, shown or brief(sluice.migration(NAME)))
    disk.free()
    freed = now_ms()
    traffic.running(seconds=60)
    report.check("full disk in cutover: writes go on by themselves when there is room", True, f"{now_ms() - freed} ms")


def restarted(report, sluice, traffic, disk):
    """A start on a full disk serves what is there, or says why not; with room everything is there."""
    disk.fill()
    time.sleep(2)
    sluice.kill()
    try:
        sluice.start()
        report.check("it starts on a full disk", True)
    except Failure as failure:
        report.check("it says why it does not start on a full disk", "space" in str(failure), failure)
    disk.free()
    if sluice.process.poll() is not None:
        sluice.start()
    traffic.running(seconds=60)


def read_all(folder, sluice):
    """Reads one topic whole, in no group."""
    folder.mkdir()
    return once(folder, "reader", "python", "consume", "--bootstrap", sluice.bootstrap, "--topic", "orders-a", "--assign",
                "--member", "full", "--until-idle", 3000)


class Disk:
    """A small file system of its own, in memory, and a file that fills it."""

    def __init__(self, path, mib):
        self.path = path
        self._mib = mib
        self._filler = path / "filler"

    def __enter__(self):
        self.path.mkdir(parents=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self._mib}m", "tmpfs", self.path],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"a small disk needs the right to mount: {done.stderr.strip()}")
        return self

    def fill(self):
        """To the last byte."""
        with open(self._filler, "ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    def free(self):
        """The filler goes."""
        self._filler.unlink(missing_ok=True)

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=False)
