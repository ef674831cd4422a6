"""What the kernel knows of processes, and what several rounds say together."""

import os
import random
import statistics
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid):
    """CPU seconds of a process so far, its ended threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def threads_of(pid):
    """CPU seconds by kind of thread: names without their numbers."""
    kinds = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip().rstrip("0123456789").rstrip("-")
            spent = int((task / "schedstat").read_text().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            continue
        kinds[name] = kinds.get(name, 0.0) + spent
    return kinds


def busy():
    """CPU seconds of the whole machine spent so far (idle and waiting not counted), and those stolen."""
    fields = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:7])) / TICKS, fields[7] / TICKS


def memory_of(pid):
    """Resident bytes now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no memory")


def most_memory_of(pid):
    """The most bytes that were ever resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no memory")


class Window:
    """CPU of named processes, of the generator and of everybody else, between two instants."""

    def __init__(self, processes):
        self.processes = processes

    def __enter__(self):
        self.cpu = {name: cpu_of(pid) for name, pid in self.processes.items()}
        self.threads = {name: threads_of(pid) for name, pid in self.processes.items()}
        self.machine, self.stolen = busy()
        self.own = os.times()
        self.begin = time.monotonic()
        return self

    def __exit__(self, *_):
        seconds = time.monotonic() - self.begin
        machine, stolen = busy()
        own = os.times()
        generator = own.children_user + own.children_system - self.own.children_user - self.own.children_system
        harness = own.user + own.system - self.own.user - self.own.system
        used = {name: round(cpu_of(pid) - self.cpu[name], 3) for name, pid in self.processes.items()}
        kinds = {}
        for name, pid in self.processes.items():
            now = threads_of(pid)
            kinds[name] = {k: round(now[k] - self.threads[name].get(k, 0.0), 3) for k in sorted(now)}
        ours = generator + harness + sum(used.values())
        self.told = {
            "window_seconds": round(seconds, 3),
            "cpu": used | {"generator": round(generator, 3)},
            "threads": kinds,
            "foreign_cores": round(max(0.0, machine - self.machine - ours) / seconds, 3),
            "steal_cores": round((stolen - self.stolen) / seconds, 3),
        }


def call(command, timeout=300, **more):
    """Runs a program to its end and returns its standard output."""
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, timeout=timeout, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {(done.stdout[-300:] + done.stderr).strip()[-900:]}")
    return done.stdout


def spread(values):
    """Median and range."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(numerators, denominators):
    """Median of the ratios round by round, with a 95 % interval by resampling the rounds."""
    each = [n / d for n, d in zip(numerators, denominators) if d]
    if not each:
        return None
    chance = random.Random(7)
    drawn = sorted(statistics.median(chance.choices(each, k=len(each))) for _ in range(2000))
    return {"median": statistics.median(each), "low": drawn[50], "high": drawn[-51], "rounds": len(each)}


def differences(minuends, subtrahends):
    """Median of the differences round by round, with a 95 % interval by resampling the rounds."""
    each = [m - s for m, s in zip(minuends, subtrahends)]
    chance = random.Random(7)
    drawn = sorted(statistics.median(chance.choices(each, k=len(each))) for _ in range(2000))
    return {"median": statistics.median(each), "low": drawn[50], "high": drawn[-51], "rounds": len(each)}


def quantile(values, share):
    """A quantile by rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * (len(ordered) - 1))))]
