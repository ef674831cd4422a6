"""The `sluice` binary: its configuration, its life under a supervisor, and what its command line answers."""

import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

from .processes import Failure, free_block, stop, wait_for

ROOT = Path(__file__).resolve().parents[3]
PORTS = 12


def binary():
    """SLUICE, or the newest build of this folder."""
    named = os.environ.get("SLUICE")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [path for path in (target / "release/sluice", target / "debug/sluice") if path.exists()]
    if named:
        return Path(named)
    if not built:
        raise Failure("no sluice binary: `cargo build`, or name one in SLUICE")
    return max(built, key=lambda path: path.stat().st_mtime)


class Sluice:
    """One data folder and one set of ports, and the process that runs on them now.

    With `supervise()` a process that ends is started again at once, as an init system would.
    """

    def __init__(self, folder, legacy=None, migrations=(), data=None, kernel=(), cluster=(), addresses=None, kafka=()):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data = data or folder / "data"
        base = free_block(PORTS)
        self.admin = f"127.0.0.1:{base}"
        self.bootstrap = f"127.0.0.1:{base + 1}"
        self.client_ports = set(range(base + 1, base + PORTS))
        self.process = None
        self.starts = 0
        self.deaths = 0
        self._supervisor = None
        self._armed = None
        self._over = threading.Event()
        self._log = folder / "sluice.log"
        if legacy is None and kafka:
            path = folder / "sluice.toml"
            lines = ["[kernel]", f'path = "{self.data}"', *kernel, "", "[kernel.kafka]", f'listen = "{self.bootstrap}"',
                     *kafka, "", "[admin]", f'listen = "{self.admin}"']
            path.write_text("\n".join(lines) + "\n")
            self._arguments = ["run", "--config", path]
        elif legacy is None:
            self._arguments = ["run", "--listen", self.bootstrap, "--data", self.data, "--admin", self.admin]
        else:
            path = folder / "sluice.toml"
            path.write_text(self._configuration(addresses or legacy.addresses, migrations, base, kernel, cluster))
            self._arguments = ["run", "--config", path]

    def _configuration(self, addresses, migrations, base, kernel, cluster):
        lines = [
            "[kernel]", 'store = "local"', f'path = "{self.data}"', "shards = 2", *kernel, "",
            "[admin]", f'listen = "{self.admin}"', "",
            "[[cluster]]", 'name = "events"', 'protocol = "kafka"', f"legacy = {json.dumps(addresses)}",
            f'listen = "{self.bootstrap}"', f'ports = "{base + 2}-{base + PORTS - 2}"',
            f'kernel_listen = "127.0.0.1:{base + PORTS - 1}"', *cluster,
        ]
        for each in migrations:
            lines += ["", "[[migration]]", f'name = "{each["name"]}"', 'cluster = "events"',
                      f"topics = {json.dumps(each['topics'])}", f"groups = {json.dumps(each['groups'])}",
                      *[f"transactional_ids = {json.dumps(ids)}" for ids in [each.get("transactional_ids")] if ids],
                      "accept_single_copy = true"]
        return "\n".join(lines) + "\n"

    def start(self, failpoint=None, supervised=False):
        """Starts the process and waits until clients can connect. `failpoint`: see `proxy/src/failpoint.rs`."""
        self._launch(failpoint)
        if supervised:
            self.supervise()
        wait_for("sluice answers", self._answers, 60)

    def _launch(self, failpoint=None):
        environment = dict(os.environ, SLUICE_FAILPOINT=failpoint) if failpoint else dict(os.environ)
        with open(self._log, "a", encoding="utf-8") as log:
            log.write(f"--- start {self.starts + 1} at {int(time.time() * 1000)} {failpoint or ''}\n")
            log.flush()
            self.process = subprocess.Popen([binary(), *self._arguments], stdout=log, stderr=log, env=environment)
        self.starts += 1

    def _answers(self):
        if self.process.poll() is not None and self._supervisor is None:
            raise Failure(f"sluice ended with {self.process.returncode}: {self.log_tail()}")
        try:
            with urllib.request.urlopen(f"http://{self.admin}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def supervise(self):
        """From now on a process that ends is started again."""
        self._supervisor = threading.Thread(target=self._watch, daemon=True)
        self._supervisor.start()

    def _watch(self):
        while not self._over.wait(0.02):
            if self.process.poll() is not None:
                self.deaths += 1
                failpoint, self._armed = self._armed, None
                self._launch(failpoint)

    def kill(self):
        """KILL: what a power cut or the OOM killer leaves, short of the page cache."""
        self.process.send_signal(signal.SIGKILL)
        if self._supervisor is None:
            self.process.wait()
            self.deaths += 1

    def arm(self, failpoint):
        """Starts the supervised process anew, with a failpoint; that death is not counted."""
        self._armed, starts = failpoint, self.starts
        self.kill()
        wait_for("sluice is started again", lambda: self.starts > starts, 60)
        self.deaths -= 1
        wait_for("sluice answers", self._answers, 60)

    def end(self):
        """Stops it for good. True if it stopped in order."""
        self._over.set()
        if self._supervisor is not None:
            self._supervisor.join()
        return self.process is None or stop(self.process)

    def log_tail(self, lines=15):
        """The end of what it wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:]) if self._log.exists() else "(never started)"

    def log_lines(self, word):
        """Lines of its log that contain `word`."""
        return [line for line in self._log.read_text(errors="replace").splitlines() if word in line]

    def ask(self, *arguments, timeout=120):
        """Runs a command of the command line with --json: (exit code, its answer)."""
        done = subprocess.run(
            [binary(), *map(str, arguments), "--json", "--admin", self.admin],
            capture_output=True, text=True, timeout=timeout, check=False,
        )
        text = done.stdout.strip() or done.stderr.strip()
        try:
            return done.returncode, json.loads(text)
        except ValueError:
            return done.returncode, {"error": text}

    def migration(self, name):
        """The migration as shown now; empty while nothing answers."""
        code, answer = self.ask("migrations")
        if code != 0:
            return {}
        listed = answer if isinstance(answer, list) else answer.get("migrations", [])
        return next((each for each in listed if each["name"] == name), {})

    def ledger(self, name):
        """Entries of the ledger."""
        code, answer = self.ask("ledger", name)
        if code != 0:
            raise Failure(f"ledger {name}: {answer}")
        return answer["entries"]

    def advance(self, name, phase, seconds=120):
        """Brings a migration to a phase, through restarts and handovers that ended on the old side.

        Returns what was answered to each attempt that did not reach it.
        """
        return self._bring("advance", name, phase, seconds)

    def roll_back(self, name, phase, seconds=120):
        """The same, back."""
        return self._bring("rollback", name, phase, seconds)

    def _bring(self, order, name, phase, seconds):
        until = time.monotonic() + seconds
        refusals = []
        while time.monotonic() < until:
            left = max(1, int(until - time.monotonic()))
            code, answer = self.ask(order, name, phase, f"--wait={left}", timeout=left + 30)
            if code == 0:
                return refusals
            if self.reached(name, phase):
                return refusals
            text = answer.get("error") if isinstance(answer, dict) else str(answer)
            if not refusals or refusals[-1] != text:
                refusals.append(text)
            time.sleep(0.2)
        raise Failure(f"{name} did not reach {phase} in {seconds} s: {refusals[-3:]} {brief(self.migration(name))}")

    def reached(self, name, phase):
        """Whether a migration is at rest in this phase."""
        shown = self.migration(name)
        return shown.get("phase") == phase and shown.get("doing") == "nothing"


def brief(migration):
    """What is worth printing of a migration."""
    shown = {key: migration.get(key) for key in ("phase", "wanted", "doing", "last", "handover")}
    gate = migration.get("gate") or {}
    shown["red"] = [each for each in gate.get("requirements", []) if not each["green"]]
    shown["stopped"] = [unit["stopped"] for unit in migration.get("units", []) if unit.get("stopped")]
    return json.dumps(shown)
