"""server.properties of one node, and the users and certificates that its listeners need."""

import subprocess

USER = "alice"
PASSWORD = "alice-secret"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_SECURITY = "org.apache.kafka.common.security"


def lines(cluster, node, home):
    """The properties of `node` (a dict of cluster.json), its files under `home`, as a list of lines."""
    count = len(cluster["nodes"])
    quorum_of_copies = 2 if count >= 3 else 1
    voters = ",".join(f"{n['id']}@127.0.0.1:{n['controller']}" for n in cluster["nodes"])
    listeners = _listeners(cluster, node)
    protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", "SASL": "SASL_PLAINTEXT", "TLS": "SSL"}
    given = {
        "process.roles": "broker,controller",
        "node.id": node["id"],
        "controller.quorum.voters": voters,
        "listeners": ",".join(f"{k}://127.0.0.1:{v}" for k, v in listeners.items()),
        "advertised.listeners": ",".join(
            f"{k}://127.0.0.1:{v}" for k, v in listeners.items() if k != "CONTROLLER"
        ),
        "listener.security.protocol.map": ",".join(f"{k}:{protocols[k]}" for k in listeners),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": home / "data",
        "default.replication.factor": count,
        "min.insync.replicas": quorum_of_copies,
        "offsets.topic.replication.factor": count,
        "offsets.topic.num.partitions": 10,
        "transaction.state.log.replication.factor": count,
        "transaction.state.log.min.isr": quorum_of_copies,
        "transaction.state.log.num.partitions": 10,
        "group.initial.rebalance.delay.ms": 0,
        # A small heap: the cleaner alone would take 128 MiB of it at start.
        "log.cleaner.dedupe.buffer.size": 16 << 20,
        "log.cleaner.threads": 1,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
    }
    if cluster["version"] == "4":
        given["share.coordinator.state.topic.replication.factor"] = count
        given["share.coordinator.state.topic.min.isr"] = quorum_of_copies
        given["share.coordinator.state.topic.num.partitions"] = 3
        given["group.coordinator.threads"] = 1
        given["share.coordinator.threads"] = 1
    given.update(_sasl() if cluster["sasl"] else {})
    given.update(_tls(home.parent) if cluster["tls"] else {})
    given.update(cluster["set"])
    return [f"{key}={value}" for key, value in given.items()]


def _listeners(cluster, node):
    named = {"PLAINTEXT": node["port"], "CONTROLLER": node["controller"]}
    if cluster["sasl"]:
        named["SASL"] = node["sasl"]
    if cluster["tls"]:
        named["TLS"] = node["tls"]
    return named


def _sasl():
    prefix = "listener.name.sasl"
    return {
        f"{prefix}.sasl.enabled.mechanisms": ",".join(MECHANISMS),
        f"{prefix}.plain.sasl.jaas.config": f"{_SECURITY}.plain.PlainLoginModule required "
        f'user_{USER}="{PASSWORD}";',
        f"{prefix}.scram-sha-256.sasl.jaas.config": f"{_SECURITY}.scram.ScramLoginModule required;",
        f"{prefix}.scram-sha-512.sasl.jaas.config": f"{_SECURITY}.scram.ScramLoginModule required;",
        # Unsigned tokens, which Kafka accepts for development when nothing else is configured.
        f"{prefix}.oauthbearer.sasl.jaas.config": f"{_SECURITY}.oauthbearer.OAuthBearerLoginModule required "
        'unsecuredLoginStringClaim_sub="broker";',
    }


def _tls(top):
    prefix = "listener.name.tls"
    return {
        f"{prefix}.ssl.keystore.type": "PEM",
        f"{prefix}.ssl.keystore.location": top / "tls" / "server.pem",
        f"{prefix}.ssl.truststore.type": "PEM",
        f"{prefix}.ssl.truststore.location": top / "tls" / "ca.pem",
        f"{prefix}.ssl.client.auth": "none",
    }


def format_arguments(cluster):
    """What the storage tool needs besides the cluster id and the properties: the SCRAM users."""
    if not cluster["sasl"]:
        return []
    out = []
    for mechanism in MECHANISMS:
        if mechanism.startswith("SCRAM"):
            out += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
    return out


def make_certificates(folder):
    """Makes a test authority and one server certificate for 127.0.0.1 and localhost: ca.pem and server.pem."""
    if (folder / "server.pem").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    steps = [
        ["req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=peers-ca"],
        ["req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1"],
        ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
         "-out", "server.crt", "-days", "30", "-extfile", "san"],
    ]
    for step in steps:
        subprocess.run(["openssl", *step], cwd=folder, check=True, capture_output=True)
    (folder / "server.pem").write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())
