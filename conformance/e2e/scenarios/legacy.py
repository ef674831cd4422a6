"""Legacy stopped, killed, paused and slowed in every phase: clients get over it, and the operator is told."""

import threading
import time

from harness.clients import CODECS, IDEMPOTENT, Traffic, admin
from harness.legacy import Legacy
from harness.report import Workspace, now_ms
from harness.sluice import Sluice, brief

NAME = "orders"
TOPICS = {"orders-a": 3, "orders-b": 1}
FAULTS = ("stop", "kill", "pause", "slow")


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--nodes", type=int, choices=[1, 3], default=1, help="with three, one of them is struck")
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--clients", default="python,java4")
    parser.add_argument("--seconds", type=float, default=6, help="how long each fault lasts")


def run(report, chosen):
    """The scenario: a whole migration for each kind of fault."""
    for fault in chosen.faults.split(","):
        with Workspace(report) as folder:
            one(report, folder, chosen, fault)


def one(report, folder, chosen, fault):
    """One migration, struck in every phase and within the handover."""
    legacy = Legacy(folder / "kafka", chosen.version, chosen.nodes)
    migration = {"name": NAME, "topics": ["orders-*"], "groups": ["g-*"]}
    sluice = Sluice(folder / "sluice", legacy, [migration])
    traffic = Traffic(folder / "h", sluice.bootstrap)
    struck = Struck(report, legacy, sluice, traffic, fault, chosen.seconds)
    try:
        for topic, partitions in TOPICS.items():
            admin(folder / "h", legacy.bootstrap, "python", "create-topic", "--topic", topic, "--partitions", partitions,
                  "--replication", chosen.nodes)
        sluice.start()
        for index, client in enumerate(chosen.clients.split(",")):
            more = ["--idempotent", "true"] if client in IDEMPOTENT else []
            for number, topic in enumerate(TOPICS):
                traffic.write(client, topic, CODECS[(index + number) % 5], *more)
            traffic.read(client, list(TOPICS)[index % 2], f"g-{client}")
        traffic.running(seconds=120)
        struck.in_phase("observe")
        for phase in ("mirror", "dual-write"):
            sluice.advance(NAME, phase)
            struck.in_phase(phase)
        struck.in_handover()
        struck.in_phase("cutover")
        sluice.advance(NAME, "retired")
        struck.in_phase("retired")
        judge(report, sluice, traffic, fault)
    finally:
        traffic.abandon()
        sluice.end()
        legacy.end()


def judge(report, sluice, traffic, fault):
    """What is known at the end."""
    complaints = traffic.end()
    report.check(f"{fault}: every group has read everything", not complaints, complaints)
    units = sluice.migration(NAME)["units"]
    report.check(f"{fault}: every unit is the kernel's, nothing is unexplained",
                 units and all(unit["primary"] == "kernel" and not unit["unexplained"] for unit in units),
                 [unit for unit in units if unit["primary"] != "kernel" or unit["unexplained"]])
    found = report.judge(fault, traffic.histories(), 100)
    report.facts.setdefault("history", {})[fault] = {k: v for k, v in found.items() if isinstance(v, int)}


class Struck:
    """Brings one kind of fault on legacy, and looks at what it does."""

    def __init__(self, report, legacy, sluice, traffic, fault, seconds):
        self._report = report
        self._legacy = legacy
        self._sluice = sluice
        self._traffic = traffic
        self._fault = fault
        self._seconds = seconds
        # One of three: the others go on, and the leaders of its partitions move.
        self._node = None if legacy.nodes == 1 else legacy.nodes

    def in_phase(self, phase):
        """A fault that lasts, while the migration rests in a phase."""
        title = f"{self._fault} in {phase}"
        begun = now_ms()
        with self._at_work():
            time.sleep(self._seconds)
            told = self._told()
            ended = now_ms()
        held = self._traffic.longest_pause_ms(begun, ended)
        acks = self._traffic.acknowledged_between(begun, ended)
        if phase in ("cutover", "retired"):
            idle = [name for name, count in acks.items() if count == 0]
            self._report.check(f"{title}: writers of the kernel notice nothing", not idle and held < 2000,
                               f"idle {idle}, longest pause {held} ms")
        if phase in ("mirror", "dual-write") and self._node is None and self._fault != "slow":
            self._report.check(f"{title}: the operator is told", told, brief(self._sluice.migration(NAME)))
        self._traffic.running(seconds=90)
        here = self._sluice.migration(NAME).get("phase")
        self._report.check(f"{title}: traffic flows again, and the phase is what it was", here == phase,
                           f"{sum(acks.values())} acknowledged within, {here}; {told}")
        self._report.facts.setdefault("told", {})[title] = told

    def in_handover(self):
        """A fault that is there when the operator asks for the cutover, and ends while that waits."""
        title = f"{self._fault} within the handover"
        with self._at_work():
            code, answer = self._sluice.ask("advance", NAME, "cutover", "--wait=4")
            primaries = {unit["primary"] for unit in self._sluice.migration(NAME).get("units", [])}
        said = answer.get("error") if isinstance(answer, dict) else answer
        # A single node of three may be silent without the gate knowing; a whole cluster may not.
        named = "legacy" in str(said) or self._node is not None
        self._report.check(f"{title}: it is reached, or the operator is told why not", code == 0 or (said and named),
                           f"exit {code}, {sorted(primaries)}: {said}")
        refusals = self._sluice.advance(NAME, "cutover", 120)
        self._report.check(f"{title}: reached once legacy is back", True, refusals[-2:])
        self._traffic.running(seconds=90)

    def _told(self):
        """What the operator can read of legacy's trouble now."""
        lags = [unit["lag"] for unit in self._sluice.migration(NAME).get("units", []) if unit.get("lag")]
        return sorted({lag["unheard"] for lag in lags if lag.get("unheard")})

    def _at_work(self):
        return {"slow": Slowness, "pause": Pause, "stop": Outage, "kill": Outage}[self._fault](
            self._legacy, self._node, self._fault)


class Outage:
    """Legacy does not run."""

    def __init__(self, legacy, node, fault):
        self._legacy, self._node, self._fault = legacy, node, fault

    def __enter__(self):
        (self._legacy.kill if self._fault == "kill" else self._legacy.stop)(self._node)

    def __exit__(self, *_):
        self._legacy.start(self._node)


class Pause:
    """Legacy runs and does nothing: connections stay open, nothing is answered."""

    def __init__(self, legacy, node, _fault):
        self._legacy, self._node = legacy, node

    def __enter__(self):
        self._legacy.pause(self._node)

    def __exit__(self, *_):
        self._legacy.resume(self._node)


class Slowness:
    """Legacy runs a tenth of the time."""

    def __init__(self, legacy, node, _fault):
        self._legacy, self._node = legacy, node
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._over.is_set():
            self._legacy.pause(self._node)
            self._over.wait(0.45)
            self._legacy.resume(self._node)
            self._over.wait(0.05)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
