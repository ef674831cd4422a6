"""TLS on both sides, and every way to log in, through the proxy and at the kernel's node behind it."""

import time

from harness.clients import CODECS, IDEMPOTENT, Traffic, admin, first_commit, once
from harness.legacy import Legacy
from harness.report import Workspace
from harness.sluice import Sluice

NAME, TOPIC = "orders", "orders-a"
# Each client with the mechanisms that it logs in with.
LOGINS = (("python", "PLAIN"), ("java4", "SCRAM-SHA-512"), ("go", "SCRAM-SHA-256"), ("python", "OAUTHBEARER"),
          ("node", "SCRAM-SHA-512"))


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")


def run(report, chosen):
    """The scenario: once with TLS to legacy, once with users."""
    with Workspace(report) as folder:
        legacy = Legacy(folder / "kafka", chosen.version, secured=True)
        try:
            certificate, ca = folder / "kafka/tls/server.pem", legacy.told["tls_ca"]
            clients_tls = ["[cluster.tls]", f'cert = "{certificate}"', f'key = "{certificate}"']
            legacy_tls = ["[cluster.legacy_tls]", f'ca = "{ca}"']
            everybody = [(client, ["--tls-ca", ca]) for client in ("python", "java3", "go", "node")]
            walk(report, folder / "tls", legacy, "tls", everybody, legacy.told["tls_bootstrap"],
                 [*clients_tls, *legacy_tls], "retired")
            user, password = legacy.told["sasl_user"], legacy.told["sasl_password"]
            users = [(client, ["--tls-ca", ca, "--sasl", f"{mechanism}:{user}:{password}", *token(mechanism, user)])
                     for client, mechanism in LOGINS]
            link = ["[cluster.link]", f'user = "{user}"', f'password = "{password}"']
            sluice = walk(report, folder / "sasl", legacy, "sasl", users, legacy.told["sasl_bootstrap"],
                          ['sasl = "relay"', *clients_tls, *link], "cutover")
            secret(report, sluice, password)
        finally:
            legacy.end()


def token(mechanism, user):
    """librdkafka makes itself the unsigned token that this broker takes."""
    settings = ("enable.sasl.oauthbearer.unsecure.jwt=true", f"sasl.oauthbearer.config=principal={user}")
    return [x for each in settings for x in ("--config", each)] if mechanism == "OAUTHBEARER" else []


def walk(report, folder, legacy, title, clients, addresses, cluster, last):
    """A migration under clients that all connect in this way."""
    name = f"{NAME}-{title}"
    sluice = Sluice(folder / "sluice", legacy, [{"name": name, "topics": [f"{name}-*"], "groups": [f"{name}-g*"]}],
                    cluster=cluster, addresses=addresses.split(","))
    traffic = Traffic(folder / "h", sluice.bootstrap)
    try:
        topic = f"{name}-a"
        admin(traffic.folder, legacy.bootstrap, "python", "create-topic", "--topic", topic, "--partitions", 3)
        first_commit(traffic.folder, legacy.bootstrap, topic)
        sluice.start()
        for index, (client, how) in enumerate(clients):
            more = ["--idempotent", "true"] if client in IDEMPOTENT else []
            traffic.write(client, topic, CODECS[index % 5], *more, *how, suffix=f"-{index}")
            traffic.read(client, topic, f"{name}-g{index}", 1, *how)
        traffic.running(seconds=120)
        for phase in ("mirror", "dual-write", "cutover", "retired"):
            sluice.advance(name, phase)
            traffic.running(seconds=90)
            time.sleep(1)
            if phase == last:
                break
        if last == "cutover":
            wrong_password(report, sluice, traffic, topic, clients[0])
            code, answer = sluice.ask("advance", name, "retired", "--wait=3")
            report.check(f"{title}: the gate to retired names the users that the kernel does not know",
                         code != 0 and "user" in str(answer), answer.get("error"))
        complaints = traffic.end()
        report.check(f"{title}: every group has read everything", not complaints, complaints)
        report.judge(title, traffic.histories(), 300, allowed_errors=False)
    finally:
        traffic.abandon()
        report.check(f"{title}: sluice stops in order", sluice.end())
    return sluice


def wrong_password(report, sluice, traffic, topic, client):
    """After the cutover: whom legacy does not know the kernel's node does not serve."""
    name, how = client
    spoilt = [f"{each}x" if each.startswith("PLAIN:") else each for each in how]
    (traffic.folder / "refused").mkdir()
    code, lines = once(traffic.folder / "refused", "refused", name, "produce", "--bootstrap", sluice.bootstrap, "--topic", topic,
                       "--id", "refused", "--count", 1, *spoilt, "--config", "message.timeout.ms=6000", seconds=30)
    acks = [line for line in lines if line["op"] == "ack"]
    report.check("sasl: a wrong password is refused", code != 0 and not acks, [line.get("error") for line in lines][-1:])


def secret(report, sluice, password):
    """The password is told to nobody."""
    places = [path for path in sluice.folder.rglob("*") if path.is_file() and path.name != "sluice.toml"]
    found = [str(path) for path in places if password.encode() in path.read_bytes()]
    report.check("sasl: the link's password is in no log and no file of the data folder", not found, found or f"{len(places)} files")
