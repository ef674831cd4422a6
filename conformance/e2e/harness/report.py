"""Progress, checks, the judge of histories, and the file of results."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from .processes import Failure
from .sluice import ROOT, binary


def now_ms():
    """Wall clock, as the clients read it."""
    return int(time.time() * 1000)


class Report:
    """Checks of one scenario, each printed as it is made."""

    def __init__(self, suite):
        self.suite = suite
        self.begun = time.time()
        self.checks = []
        self.facts = {}

    def say(self, text):
        """A line of progress."""
        print(f"  {time.time() - self.begun:6.1f} s  {text}", flush=True)

    def check(self, name, holds, detail=""):
        """Notes whether something holds."""
        self.checks.append({"name": name, "passed": bool(holds), "detail": str(detail)[:2000]})
        self.say(f"{'ok    ' if holds else 'FAILED'}  {name}{f': {detail}' if detail else ''}")
        return bool(holds)

    def judge(self, name, paths, minimum=1, allowed_errors=True):
        """Lets the judge of histories speak; its report. Too little traffic is a failure too."""
        done = subprocess.run([history(), *paths], capture_output=True, text=True, check=False)
        if done.returncode == 2:
            self.check(f"{name}: history", False, done.stderr.strip())
            return {}
        report = json.loads(done.stdout)
        violations = {kind: (each["count"], each["examples"][:3]) for kind, each in report["violations"].items()}
        counts = f"{report['acknowledged']} acknowledged, {report['delivered']} delivered, {report['redelivered']} redelivered"
        self.check(f"{name}: history is clean", not violations, f"{counts}{f'; {violations}' if violations else ''}")
        self.check(f"{name}: enough was written and read", min(report["acknowledged"], report["delivered"]) >= minimum,
                   counts)
        if not allowed_errors:
            self.check(f"{name}: no client was told of an error", not report["client_errors"] and not report["failed"],
                       f"{report['client_errors']} errors, {report['failed']} failed sends "
                       f"{report['client_error_examples'][:5]}")
        return report

    def passed(self):
        """How many checks held."""
        return sum(check["passed"] for check in self.checks)

    def failed(self):
        """How many did not."""
        return len(self.checks) - self.passed()

    def write(self, path, options):
        """The file of results."""
        def said(*command):
            return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()

        found = {
            "suite": self.suite,
            "commit": said("git", "rev-parse", "HEAD"),
            "changed_files": len(said("git", "status", "--porcelain", "--untracked-files=no", "--", ":!docs").splitlines()),
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.begun)),
            "seconds": round(time.time() - self.begun),
            "binary": said(binary(), "--version"),
            "options": options,
            "passed": self.passed(),
            "failed": self.failed(),
            "facts": self.facts,
            "checks": self.checks,
        }
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def history():
    """The judge's binary: SLUICE_HISTORY, or the one that is built beside others; built if it is missing."""
    if os.environ.get("SLUICE_HISTORY"):
        return os.environ["SLUICE_HISTORY"]
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for path in (target / "release/history", target / "debug/history"):
        if path.exists():
            return path
    subprocess.run(["cargo", "build", "-q", "-p", "conformance", "--bin", "history"], cwd=ROOT, check=True)
    return target / "debug/history"


class Workspace:
    """A temporary folder, kept when something failed."""

    def __init__(self, report):
        self._report = report
        self.path = Path(tempfile.mkdtemp(prefix=f"sluice-{report.suite}-"))

    def __enter__(self):
        return self.path

    def __exit__(self, kind, error, _trace):
        if isinstance(error, Failure):
            self._report.check("the scenario went to its end", False, error)
        if self._report.failed() or (kind is not None and kind is not Failure):
            print(f"  kept for a look: {self.path}", flush=True)
        else:
            shutil.rmtree(self.path, ignore_errors=True)
        return isinstance(error, Failure)
