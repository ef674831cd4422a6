"""The command line that every test program here shares (see README.md two folders up)."""

import argparse

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
ADMIN = [
    "list-topics", "create-topic", "describe-topic", "delete-topic", "add-partitions", "get-config", "set-config",
    "list-groups", "describe-group", "delete-group", "group-offsets", "set-group-offset", "offsets", "delete-records",
]


def truth(text):
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError("want true or false")
    return text == "true"


def numbers(text):
    return [int(part) for part in text.split(",")]


def parse(program):
    """The parsed command line of `program`."""
    top = argparse.ArgumentParser(prog=program)
    commands = top.add_subparsers(dest="command", required=True)
    _produce(_common(commands.add_parser("produce")))
    _consume(_common(commands.add_parser("consume")))
    _admin(commands.add_parser("admin"))
    _transact(commands.add_parser("transact"))
    return top.parse_args()


def _common(parser):
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--sasl", metavar="MECHANISM:USER:PASSWORD")
    parser.add_argument("--tls-ca", metavar="FILE")
    parser.add_argument("--config", action="append", default=[], metavar="KEY=VALUE", help="the client's own setting")
    return parser


def _produce(parser):
    parser.add_argument("--topic", required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--count", type=int, default=0, help="0: until TERM")
    parser.add_argument("--rate", type=float, default=0, help="records a second; 0: no limit")
    parser.add_argument("--start", type=int, default=0, help="first sequence number")
    parser.add_argument("--acks", choices=["0", "1", "all"], default="all")
    parser.add_argument("--compression", choices=CODECS, default="none")
    parser.add_argument("--idempotent", type=truth, default=True)
    parser.add_argument("--partitions", type=numbers, help="in turn; by key when not given")
    parser.add_argument("--keys", type=int, default=16)
    parser.add_argument("--value-bytes", type=int, default=0)
    parser.add_argument("--delete-every", type=int, default=0, help="every nth record has no value")
    parser.add_argument("--transactional-id")
    parser.add_argument("--txn-size", type=int, default=10)
    parser.add_argument("--abort-every", type=int, default=0, help="every nth transaction is aborted")


def _consume(parser):
    parser.add_argument("--topic", required=True)
    parser.add_argument("--group")
    parser.add_argument("--assign", action="store_true", help="read without a group")
    parser.add_argument("--partitions", type=numbers, help="with --assign; all when not given")
    parser.add_argument("--member", default="m1")
    parser.add_argument("--from", dest="begin", default="earliest", help="earliest, latest or (with --assign) an offset")
    parser.add_argument("--count", type=int, default=0, help="0: no limit")
    parser.add_argument("--until-idle", type=int, default=0, metavar="MS", help="0: until TERM")
    parser.add_argument("--isolation", choices=["read_committed", "read_uncommitted"], default="read_uncommitted")
    parser.add_argument("--commit", choices=["auto", "sync", "none"], default="auto")
    parser.add_argument("--commit-interval-ms", type=int, default=500)
    parser.add_argument("--session-timeout-ms", type=int, default=10_000)
    parser.add_argument("--assignor", choices=["range", "roundrobin", "cooperative-sticky"])
    parser.add_argument("--instance-id")


def _admin(parser):
    commands = parser.add_subparsers(dest="what", required=True)
    for name in ADMIN:
        sub = _common(commands.add_parser(name))
        sub.add_argument("--topic")
        sub.add_argument("--group")
        sub.add_argument("--partitions", type=int)
        sub.add_argument("--partition", type=int)
        sub.add_argument("--replication", type=int, default=-1)
        sub.add_argument("--offset", type=int)


def _transact(parser):
    commands = parser.add_subparsers(dest="what", required=True)
    for name in ("fence", "time-out", "stable", "open", "zombie", "late", "pipeline"):
        sub = _common(commands.add_parser(name))
        sub.add_argument("--topic", required=True)
        sub.add_argument("--id", required=True)
        sub.add_argument("--source", help="what the pipeline reads")
        sub.add_argument("--count", type=int, default=0, help="how many records the pipeline reads")


def pairs(options):
    """The --config settings as a dict."""
    return dict(pair.split("=", 1) for pair in options.config)
