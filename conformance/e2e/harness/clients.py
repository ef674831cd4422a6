"""Stock clients at work: programs of `conformance/peers/client`, and their histories as they grow."""

import json
import subprocess
import time

from .legacy import PEERS
from .processes import Failure, stop, wait_for

# How often a supervised client is started again, at most: one that ends at once each time is no traffic.
REVIVALS_MAX = 3
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
IDEMPOTENT = ("python", "java4", "java3", "go")


class Client:
    """One run of one program. Its history goes into a file that `look` reads on."""

    def __init__(self, folder, name, program, *arguments):
        self.name = name
        self.program = program
        self.arguments = arguments
        self.path = folder / f"{name}.jsonl"
        self.log = folder / f"{name}.log"
        self.acks = []
        self.reads = []
        self.values = set()
        self.rebalances = []
        self.errors = []
        self.failed = 0
        self.ack_gaps = []
        self._position = 0
        with open(self.path, "wb") as out, open(self.log, "wb") as err:
            self.process = subprocess.Popen(
                [PEERS / "client", program, *map(str, arguments)], stdout=out, stderr=err, start_new_session=True
            )

    def look(self):
        """Takes in what was written since the last look."""
        with open(self.path, "rb") as file:
            file.seek(self._position)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.splitlines():
            self._take(json.loads(line))
        return self

    def _take(self, line):
        kind = line["op"]
        if kind == "ack":
            self.acks.append(line["t_ms"])
            self.values.add(line["value"])
        elif kind == "read":
            self.reads.append(line["t_ms"])
            self.values.add(line["value"])
        elif kind == "rebalance":
            self.rebalances.append(line["t_ms"])
        elif kind == "error":
            self.errors.append((line["t_ms"], line.get("error", "")))
        elif kind == "fail":
            self.failed += 1

    def end(self, seconds=40):
        """Stops it in order; False when it had to be killed."""
        ended = stop(self.process, seconds)
        self.look()
        return ended


class Traffic:
    """Writers and groups of readers, their histories in one folder."""

    def __init__(self, folder, bootstrap, rate=40, supervised=False):
        self.folder = folder
        self.bootstrap = bootstrap
        self.rate = rate
        self.supervised = supervised
        self.revived = []
        self.writers = []
        self.readers = []
        self._topics = {}
        self._groups = {}
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, program, topic, codec="none", *more, suffix=""):
        """A writer of `topic` that goes on until `end_writers`."""
        name = f"w-{program}{suffix}-{topic}"
        client = Client(
            self.folder, name, program, "produce", "--bootstrap", self.bootstrap, "--topic", topic, "--id", name,
            "--rate", self.rate, "--compression", codec, "--value-bytes", 120, *more,
        )
        self.writers.append(client)
        self._topics.setdefault(topic, []).append(client)

    def read(self, program, topic, group, members=1, *more):
        """Members of one group that read `topic` until `end`."""
        for number in range(1, members + 1):
            client = Client(
                self.folder, f"r-{group}-{program}-{number}", program, "consume", "--bootstrap", self.bootstrap,
                "--topic", topic, "--group", group, "--member", f"{group}-{program}-{number}", *more,
            )
            self.readers.append(client)
            self._groups.setdefault((group, topic), []).append(client)

    def halt(self):
        """Ends all clients in order, whatever they have not read yet. Returns what went wrong, in words."""
        return [f"{client.name} had to be killed" for client in self.all() if not client.end()]

    def restart(self, bootstrap):
        """After `halt`: starts the same programs anew there, in the same groups, under names of their own."""
        self.bootstrap = bootstrap
        self._replace(self.all())

    def revive(self, clients):
        """Where clients are supervised: starts each of these that ended by itself anew, and notes what it said. Those begun."""
        ended = [client for client in clients if self.supervised and client.process.poll() is not None
                 and client.name.count("-again") < REVIVALS_MAX]
        for client in ended:
            said = client.look().errors
            self.revived.append(f"{client.name}: exit {client.process.returncode}, {said[-1][1] if said else 'no word'}")
        return self._replace(ended)

    def _replace(self, clients):
        """Starts these programs anew, in the place of the old ones."""
        begun = {client: self._again(client, self.bootstrap) for client in clients}
        self.writers = [begun.get(client, client) for client in self.writers]
        self.readers = [begun.get(client, client) for client in self.readers]
        for clients in (*self._topics.values(), *self._groups.values()):
            clients.extend([begun[client] for client in clients if client in begun])
        return list(begun.values())

    def _again(self, client, bootstrap):
        name = f"{client.name}-again"
        changed = {"--bootstrap": bootstrap, "--id": name, "--member": name}
        words = list(client.arguments)
        for place, option in enumerate(words[:-1]):
            if option in changed:
                words[place + 1] = changed[option]
        return Client(self.folder, name, client.program, *words)

    def all(self):
        """Every client."""
        return [*self.writers, *self.readers]

    def processes(self):
        """Their processes."""
        return [client.process for client in self.all()]

    def running(self, acks=20, seconds=60):
        """Waits until every writer has `acks` more acknowledgements and every group as many more reads."""
        for client in self.all():
            client.look()
        wanted = {client: len(client.acks) + acks for client in self.writers}
        read = {group: _sum_reads(members) + acks for group, members in self._groups.items()}

        def idle():
            for client in self.revive(self.all()):
                wanted[client] = acks
            names = [c.name for c in self.writers if len(c.look().acks) < wanted[c]]
            return names + [f"group {g[0]}" for g, m in self._groups.items() if _sum_reads(_look(m)) < read[g]]

        try:
            wait_for("traffic flows", lambda: not idle(), seconds)
        except Failure as late:
            raise Failure(f"{late}; still waiting for {', '.join(idle())}") from None

    def end(self, seconds=90):
        """Ends the writers, lets every group read to the end of its topic, ends the readers.

        Returns what went wrong, in words.
        """
        self.revive(self.all())
        complaints = [f"{client.name} had to be killed" for client in self.writers if not client.end()]
        until = time.monotonic() + seconds
        while (behind := self._behind()) and time.monotonic() < until:
            self.revive(self.readers)
            time.sleep(0.2)
        complaints += behind
        complaints += [f"{client.name} had to be killed" for client in self.readers if not client.end()]
        return complaints

    def _behind(self):
        found = []
        for (group, topic), members in self._groups.items():
            read = set().union(*(client.values for client in _look(members)))
            missing = set().union(*(client.look().values for client in self._topics.get(topic, []))) - read
            if missing:
                found.append(f"group {group} has not read {len(missing)} of {topic}, such as {min(missing)}")
        return found

    def abandon(self):
        """Stops whatever runs, after a failure."""
        for client in self.all():
            stop(client.process, 5)

    def histories(self):
        """All history files of the folder, others' too."""
        return sorted(self.folder.glob("*.jsonl"))

    def acknowledged_between(self, begin_ms, end_ms):
        """Acknowledgements per writer within a span."""
        return {c.name: sum(begin_ms <= t < end_ms for t in c.look().acks) for c in self.writers}

    def rebalances_between(self, begin_ms, end_ms):
        """Changes of assignment that readers told of within a span."""
        return {
            c.name: count for c in self.readers
            if (count := sum(begin_ms <= t < end_ms for t in c.look().rebalances))
        }

    def longest_pause_ms(self, begin_ms, end_ms):
        """Longest time between two acknowledgements of one writer, within a span."""
        longest = 0
        for client in self.writers:
            inside = sorted(t for t in client.look().acks if begin_ms <= t < end_ms)
            longest = max([longest, *(later - one for one, later in zip(inside, inside[1:]))])
        return longest


def _look(members):
    return [client.look() for client in members]


def _sum_reads(members):
    return sum(len(client.reads) for client in members)


def once(folder, name, program, *arguments, seconds=120):
    """Runs a program to its end, its history in `folder`; (exit code, the history's lines)."""
    client = Client(folder, name, program, *arguments)
    try:
        code = client.process.wait(seconds)
    except subprocess.TimeoutExpired:
        stop(client.process, 2)
        code = -1
    lines = [json.loads(line) for line in client.path.read_text().splitlines() if line.endswith("}")]
    return code, lines


def admin(folder, bootstrap, program, command, *arguments):
    """One administration command: its `result` line. A [`Failure`] that carries what went wrong otherwise."""
    serial = len(list(folder.glob("admin-*.jsonl")))
    code, lines = once(
        folder, f"admin-{serial:03d}-{program}-{command}", program, "admin", command, "--bootstrap", bootstrap,
        *arguments,
    )
    found = [line for line in lines if line["op"] == "result"]
    if code != 0 or not found:
        wrong = [line.get("error") for line in lines if line["op"] == "error"]
        raise Failure(f"{program} {command} {' '.join(map(str, arguments))}: exit {code}, {wrong}")
    return found[-1]


def first_commit(folder, bootstrap, topic):
    """Lets legacy make the topic of its offsets: groups that come before it are told that it is loading."""
    admin(folder, bootstrap, "python", "set-group-offset", "--group", "first", "--topic", topic, "--partition", 0,
          "--offset", 0)
