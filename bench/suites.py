"""What is measured. Each suite alternates its targets round by round, in a new random order every time."""

import json
import random
import shutil
import subprocess
import time

from measure import Window, call, differences, memory_of, most_memory_of, quantile, ratios, spread
from targets import PEERS, haproxy_path

SEED = 20261122
# 1 KiB records. A batch of 16 is Kafka's own default for a producer (batch.size 16 KiB).
SHAPES = {
    "1 connection, batches of 16 KiB": {"connections": 1, "window": 5, "records": 16},
    "16 connections, batches of 16 KiB": {"connections": 16, "window": 5, "records": 16},
}
LATENCIES = ("p50_us", "p99_us", "through_p50_us", "through_p99_us")
SHORT_LIVED = "retention.bytes=67108864,segment.bytes=33554432,file.delete.delay.ms=1000"


class Suite:
    """Runs samples and keeps them."""

    def __init__(self, stack, full):
        self.stack, self.full = stack, full
        self.rounds = 7 if full else 5
        self.seconds = 4.0 if full else 1.5
        self.megabytes = 800 if full else 400
        self.chance = random.Random(SEED)
        self.processes, self.rows, self.samples = {}, [], 0
        self.noisy = 0
        self.haproxies = [("haproxy", False), ("haproxy-splice", True)] if haproxy_path() else []

    def row(self, name, baseline, candidates, sample, processes, **more):
        """Measures `sample(target)` for all targets in `self.rounds` rounds and one to warm up."""
        targets = [baseline, *candidates]
        taken = {target: [] for target in targets}
        for round_ in range(self.rounds + 1):
            for target in self.chance.sample(targets, len(targets)):
                with Window(processes) as window:
                    told = sample(target)
                told.update(window.told)
                if round_ > 0:
                    taken[target].append(told)
        row = {"name": name, "baseline": baseline, "targets": {}} | more
        for target in targets:
            row["targets"][target] = self.summary(taken[target], taken[baseline], target == baseline)
        self.rows.append(row)
        show(row)
        return row

    def summary(self, taken, baseline, is_baseline):
        self.samples += len(taken)
        self.noisy += sum(each["foreign_cores"] > 0.2 for each in taken)
        rate = [each["records"] / each["seconds"] for each in taken]
        out = {"records_per_second": spread(rate), "samples": taken}
        out["cpu_seconds_per_gb"] = {
            name: spread([each["cpu"][name] / (each["bytes"] / 1e9) for each in taken]) for name in taken[0]["cpu"]
        }
        kinds = {}
        for name in taken[0]["threads"]:
            for kind in sorted({kind for each in taken for kind in each["threads"][name]}):
                spent = [each["threads"][name].get(kind, 0.0) / (each["bytes"] / 1e9) for each in taken]
                kinds.setdefault(name, {})[kind] = spread(spent)
        out["thread_cpu_seconds_per_gb"] = {n: k for n, k in kinds.items() if n.startswith(("sluice", "kernel"))}
        for each in taken:
            each.pop("threads")
        for extra in LATENCIES:
            if extra in taken[0]:
                out[extra] = spread([each[extra] for each in taken])
                if not is_baseline:
                    pair = [each[extra] for each in taken], [each[extra] for each in baseline]
                    out[f"{extra}_ratio"], out[f"{extra}_added"] = ratios(*pair), differences(*pair)
        if not is_baseline:
            rates = [each["records"] / each["seconds"] for each in baseline]
            out["rate_ratio"] = ratios(rate, rates)
        return out

    def ceiling(self, name, targets):
        """Records a second of the slower of two targets in a row that was measured before."""
        row = next(each for each in self.rows if each["name"] == name)
        return min(row["targets"][target]["records_per_second"]["median"] for target in targets)

    def paced(self, to, topic, check, **shape):
        """One sample in an open loop. What was sent must be in the log."""
        before = self.stack.wire("ends", to=check, topic=topic)["end"] if check else 0
        told = self.stack.wire("paced", to=to, topic=topic, seconds=self.seconds, **shape)
        there = self.stack.wire("ends", to=check, topic=topic)["end"] - before if check else told["records"]
        if there != told["records"]:
            raise RuntimeError(f"{topic}: {told['records']} acknowledged, {there} in the log")
        told["bytes"] = told["records"] * shape.get("bytes", 1024)
        return told

    def produced(self, to, topic, check=None, **shape):
        """One producing sample. What was acknowledged must be in the log, neither more nor less."""
        settings = {"bytes": 1024, "partitions": 16, "seconds": self.seconds, "megabytes": self.megabytes, **shape}
        before = self.stack.wire("ends", to=check, topic=topic)["end"] if check else 0
        told = self.stack.wire("produce", to=to, topic=topic, **settings)
        if check:
            there = self.stack.wire("ends", to=check, topic=topic)["end"] - before
            if there != told["records"]:
                raise RuntimeError(f"{topic}: {told['records']} acknowledged, {there} in the log")
        told["bytes"] = told["records"] * settings["bytes"]
        if told["records"] == 0:
            raise RuntimeError(f"{topic}: nothing was written")
        return told


def show(row):
    for target, told in row["targets"].items():
        rate, ratio = told["records_per_second"], told.get("rate_ratio")
        cpu = ", ".join(f"{n} {s['median']:.2f}" for n, s in told["cpu_seconds_per_gb"].items() if s["median"] >= 0.005)
        more = f"  x{ratio['median']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]" if ratio else ""
        for name in LATENCIES:
            if name in told and row.get("open_loop"):
                more += f"  {name} {told[name]['median']:,.0f}"
        print(f"{row['name']:<52} {target:<14} {rate['median']:>10,.0f}/s [{rate['min']:,.0f}..{rate['max']:,.0f}]{more}  CPU-s/GB: {cpu}", flush=True)


def haproxies(suite, behind):
    """HAProxy in front of an address, with its defaults and with splice; nothing where it is not installed."""
    return {name: suite.stack.haproxy(f"{name}-{behind.rsplit(':')[-1]}", behind, splice=splice) for name, splice in suite.haproxies}


def proxy(suite, kafka, sluices):
    """a and d: a real Kafka directly, and through each phase of the proxy."""
    (address, pid), stack = kafka, suite.stack
    others = haproxies(suite, address)
    processes = {"kafka": pid} | {f"sluice-{name}": each.pid for name, each in sluices.items()}
    processes |= {name: other for name, (_, other) in others.items()}
    to = {"direct": address} | {name: each.address for name, each in sluices.items()}
    to |= {name: there for name, (there, _) in others.items()}

    def topic(target):
        return f"t-{'direct' if target in others else target}"

    def write(target, **shape):
        return suite.produced(to[target], topic(target), check=address, stay=int(target in others), **shape)

    for shape, settings in SHAPES.items():
        for acks in (1, -1):
            candidates = ["observe"] + [name for name in to if name not in ("direct", "observe") and acks == 1]
            name = f"produce, acks={'all' if acks < 0 else acks}, {shape}"
            suite.row(name, "direct", candidates, lambda t: write(t, acks=acks, **settings), processes)
    for connections in (1, 16):

        def read(target):
            records = (400_000 if suite.full else 200_000) * (5 if connections > 1 else 1)
            shape = {"partitions": 16, "connections": connections, "stay": int(target in others)}
            told = stack.wire("fetch", to=to[target], topic="t-read", seconds=30, records=records, **shape)
            if told["records"] < records:
                raise RuntimeError(f"only {told['records']} of {records} were read")
            return told

        suite.row(f"consume, {connections} connection{'s' * (connections > 1)}", "direct", ["observe", *others], read, processes)
    two = {name: processes[name] for name in ("kafka", "sluice-observe")}
    for share in (25, 50, 75):
        rate = round(suite.ceiling("produce, acks=1, 16 connections, batches of 16 KiB", ("direct", "observe")) * share / 100)
        sample = lambda t: suite.paced(to[t], topic(t), address, rate=rate, connections=16, records=16)  # noqa: E731
        suite.row(f"open loop, produce, acks=1, 16 connections, {share} %", "direct", ["observe"], sample, two, open_loop=rate)


def java(suite, kafka, observe):
    """The same with Kafka's own load generators, whose own cost is several times the broker's."""
    to, processes = {"direct": kafka[0], "observe": observe.address}, {"kafka": kafka[1], "sluice-observe": observe.pid}
    records = 400_000 if suite.full else 150_000

    def write(target):
        settings = [f"bootstrap.servers={to[target]}", "acks=1"]
        told = tool("producer-perf-test", "--topic", f"t-{target}", "--num-records", records, "--record-size", 1024, "--throughput", -1, "--producer-props", *settings)
        last = told.strip().splitlines()[-1].replace(",", " ").split()
        sent, rate = int(last[0]), float(last[last.index("records/sec") - 1])
        if sent != records:
            raise RuntimeError(f"{sent} of {records} were sent")
        return {"records": sent, "seconds": sent / rate, "bytes": sent * 1024}

    def read(target):
        told = tool("consumer-perf-test", "--bootstrap-server", to[target], "--topic", "t-read", "--num-records", records, "--timeout", 60_000)
        lines = [line for line in told.splitlines() if line.count(",") >= 9]
        fields = dict(zip([each.strip() for each in lines[0].split(",")], lines[-1].split(",")))
        got = int(fields["data.consumed.in.nMsg"])
        if got < records:
            raise RuntimeError(f"{got} of {records} were read")
        seconds = float(fields["fetch.time.ms"]) / 1000
        return {"records": got, "seconds": seconds, "bytes": float(fields["data.consumed.in.MB"]) * 1048576}

    suite.row("ProducerPerformance, acks=1", "direct", ["observe"], write, processes)
    suite.row("ConsumerPerformance", "direct", ["observe"], read, processes)


def tool(*words):
    return call([PEERS / "ktool", *words])


def null(suite, sink, proxied):
    """b: nothing behind the proxy but answers."""
    (address, pid), others = sink, haproxies(suite, sink[0])
    to = {"direct": address, "observe": proxied.address} | {name: there for name, (there, _) in others.items()}
    processes = {"sink": pid, "sluice-observe": proxied.pid} | {name: other for name, (_, other) in others.items()}
    candidates = ["observe", *others]
    shapes = {
        "1 connection, 64 KiB frames": {"connections": 1, "window": 16, "records": 64},
        "16 connections, 64 KiB frames": {"connections": 16, "window": 16, "records": 64},
        "1 connection, 1 KiB frames": {"connections": 1, "window": 64, "records": 1},
    }
    for name, shape in shapes.items():
        more = {"megabytes": 4000 if shape["records"] > 1 else 400}
        sample = lambda t: suite.produced(to[t], "t-sink", acks=1, stay=int(t in others), **shape, **more)  # noqa: E731
        suite.row(f"null sink, produce, {name}", "direct", candidates, sample, processes)

    def read(target):
        shape = {"connections": 1, "seconds": suite.seconds, "records": 10**9, "stay": int(target in others)}
        return suite.stack.wire("fetch", to=to[target], topic="t-sink", **shape)

    suite.row("null sink, consume, 1 MiB answers", "direct", candidates, read, processes)
    shape, name = {"connections": 1, "records": 1, "bytes": 64}, "null sink, round trip, one 64 B record at a time"
    sample = lambda t: suite.produced(to[t], "t-sink", acks=1, window=1, stay=int(t in others), **shape)  # noqa: E731
    suite.row(name, "direct", candidates, sample, processes)
    rate = round(suite.ceiling(name, ("direct", "observe")) / 2)
    sample = lambda t: suite.paced(to[t], "t-sink", None, rate=rate, stay=int(t in others), **shape)  # noqa: E731
    suite.row("open loop, null sink, 64 B records, 50 %", "direct", candidates, sample, processes, open_loop=rate)


def kernel(suite, kafka, kernels):
    """c: the kernel in Kafka's place, with the same guarantee on both sides."""
    (address, pid), many = kafka, 256 if suite.full else 64
    shapes = SHAPES | {f"{many} connections, 1 KiB at a time": {"connections": many, "window": 1, "records": 1}}
    for guarantee, served in kernels.items():
        processes = {"kafka": pid, "kernel": served.pid}
        to = {"kafka": (address, f"k-{guarantee}"), "kernel": (served.address, "k")}

        def write(target, **shape):
            return suite.produced(*to[target], check=to[target][0], acks=1, **shape)

        for name, shape in shapes.items():
            suite.row(f"{guarantee}: produce, {name}", "kafka", ["kernel"], lambda t: write(t, **shape), processes)
        shape = {"connections": 16, "records": 16, "consume": 1}
        name = f"{guarantee}: produce and consume, 16 connections"
        sample = lambda t: suite.paced(*to[t], to[t][0], rate=0, window=5, **shape)  # noqa: E731
        suite.row(name, "kafka", ["kernel"], sample, processes)
        rate = round(suite.ceiling(name, ("kafka", "kernel")) / 2)
        sample = lambda t: suite.paced(*to[t], to[t][0], rate=rate, **shape)  # noqa: E731
        suite.row(f"open loop, {name}, 50 %", "kafka", ["kernel"], sample, processes, open_loop=rate)
    to = {"kafka": address, "kernel": kernels["page-cache"].address}
    processes = {"kafka": pid, "kernel": kernels["page-cache"].pid}
    for where in to.values():
        suite.stack.wire("produce", to=where, topic="k-read", partitions=16, connections=16, window=5, records=16, seconds=60, megabytes=400)
    read = lambda t: suite.stack.wire("fetch", to=to[t], topic="k-read", partitions=16, connections=16, seconds=30, records=1_000_000)  # noqa: E731
    suite.row("page cache: consume, 16 connections", "kafka", ["kernel"], read, processes)


def fence(suite, kafka_address, count):
    """e: how long writers were held, out of the ledger; one migration a topic, with a group of its own."""
    stack = suite.stack
    names = [f"f-{number:03}" for number in range(count)]
    stack.wire("create", to=kafka_address, topic=",".join(names), partitions=1)
    for name in names:
        stack.wire("commit", to=kafka_address, topic=name, group=f"g-{name}")
    migrations = [{"name": name, "topics": [name], "groups": [f"g-{name}"]} for name in names]
    proxied = stack.sluice("fence", legacy=kafka_address, migrations=migrations)
    held, gaps, failed = {"partitions": [], "groups": []}, [], []
    for name in names:
        writer = stack.spawn(
            [stack.wire_path, "produce", f"to={proxied.address}", f"topic={name}", "window=1", "pause-us=1000", "seconds=120", "until-eof=1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        try:
            proxied.advance(name, "mirror")
            if not found_group(proxied, f"group:g-{name}"):
                failed.append(f"{name}: its group was not found")
            proxied.advance(name, "dual-write")
            proxied.advance(name, "cutover")
            time.sleep(0.2)
        except RuntimeError as error:
            failed.append(f"{name}: {error}"[-400:])
        told = writer.communicate(timeout=60)[0]
        if not told:
            failed.append(f"{name}: the writer failed")
            continue
        told = json.loads(told)
        gaps.append(told["longest_gap_us"] / 1000)
        there = stack.wire("ends", to=proxied.address, topic=name)["end"]
        if there < told["records"]:
            failed.append(f"{name}: {told['records']} acknowledged, {there} in the log")
    for name in names:
        entries = proxied.ask("ledger", name)["entries"]
        begun = [each for each in entries if each["kind"] == "handover_begun"]
        kinds = {each["handover"]: "groups" if any("group:" in unit for unit in each["units"]) else "partitions" for each in begun}
        for entry in entries:
            if entry["kind"] == "released":
                held[kinds[entry["handover"]]].append(entry["fence_ms"])
    out = {"handovers": count, "failed": failed, "longest_gap_of_the_writer_ms": figures(gaps)}
    out |= {kind: figures(values) for kind, values in held.items()}
    print(json.dumps(out), flush=True)
    return out


def found_group(proxied, unit, seconds=5):
    """A group moves with its migration once the mirror has found it; that takes a listing of legacy's groups."""
    end = time.monotonic() + seconds
    while unit not in json.dumps(proxied.ask("migrations")):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def figures(values):
    if not values:
        return None
    return {"count": len(values), "p50": quantile(values, 0.5), "p99": quantile(values, 0.99), "max": max(values)}


def mirroring(suite, kafka):
    """g: the most memory that a proxy ever has resident while it copies what lies there and what is written meanwhile."""
    stack, (address, _) = suite.stack, kafka
    gigabytes = 10 if suite.full else 1
    half = round(gigabytes * 2**30 / 1e6 / 2)
    load = {"topic": "m-mirrored", "partitions": 16, "connections": 16, "window": 5, "records": 16, "seconds": 600, "megabytes": half}
    stack.wire("create", to=address, topic="m-mirrored", partitions=16, set="file.delete.delay.ms=1000")
    written = stack.wire("produce", to=address, **load)["records"]
    proxied = stack.sluice("mirroring", legacy=address, migrations=[{"name": "m", "topics": ["m-mirrored"]}])
    start, begin = memory_of(proxied.pid), time.monotonic()
    proxied.advance("m", "mirror")
    written += stack.wire("produce", timeout=700, to=proxied.address, **load)["records"]
    end = time.monotonic() + 600
    while (behind := lag_of(proxied)) > 0:
        if time.monotonic() > end:
            raise RuntimeError(f"the mirror is still {behind} records behind")
        time.sleep(0.1)
    out = {"records": written, "bytes": written * 1024, "seconds": round(time.monotonic() - begin, 1)}
    out |= {"at_start": start, "at_the_end": memory_of(proxied.pid), "highest": most_memory_of(proxied.pid)}
    stack.end(proxied.process)
    shutil.rmtree(stack.folder / "mirroring")
    stack.wire("delete", to=address, topic="m-mirrored")
    print(json.dumps(out), flush=True)
    return out


def lag_of(proxied):
    """How many records a mirror is behind, over all of its partitions; more than there can be while one is not followed yet."""
    units = [unit for migration in proxied.ask("migrations") for unit in migration["units"] if unit["kind"] == "log"]
    return sum(unit["lag"]["records"] for unit in units) if units and all(unit["lag"] for unit in units) else 2**62


def memory(suite, kafka, kernel_, observe, before):
    """f: resident memory at start and after the load, and what an idle connection costs."""
    count, out = 1000, {"at_start": before}
    out["after_load"] = {"kafka": memory_of(kafka[1]), "kernel": memory_of(kernel_.pid), "observe": memory_of(observe.pid)}
    fresh = suite.stack.sluice("idle", legacy=kafka[0], migrations=[{"name": "idle", "topics": ["idle.*"]}])
    out["at_start"]["observe"] = start = memory_of(fresh.pid)
    holder = suite.stack.spawn([suite.stack.wire_path, "idle", f"to={fresh.address}", f"connections={count}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdout.readline()
    # Idle connections give their buffers back after two seconds.
    time.sleep(6)
    out["idle_connections"] = count
    out["bytes_per_idle_connection"] = (memory_of(fresh.pid) - start) / count
    holder.communicate(timeout=30)
    print(json.dumps(out), flush=True)
    return out
