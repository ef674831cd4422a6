#!/usr/bin/env python3
"""Test program on confluent-kafka (librdkafka)."""

import sys

import confluent_kafka

import admin
import consume
import history
import options as command_line
import produce
import transact


def connection(options):
    """The settings every librdkafka client needs. The admin's --config are a topic's, so they stay out."""
    found = {"bootstrap.servers": options.bootstrap, "log_level": 4}
    if options.tls_ca:
        found.update({"security.protocol": "ssl", "ssl.ca.location": options.tls_ca})
    if options.sasl:
        mechanism, user, password = options.sasl.split(":", 2)
        protocol = "sasl_ssl" if options.tls_ca else "sasl_plaintext"
        found.update({"security.protocol": protocol, "sasl.mechanism": mechanism})
        found.update({"sasl.username": user, "sasl.password": password})
    return found


def main():
    options = command_line.parse("client python")
    library = f"confluent-kafka {confluent_kafka.__version__} librdkafka {confluent_kafka.libversion()[0]}"
    run = {"produce": produce.run, "consume": consume.run, "admin": admin.run,
           "transact": transact.run}[options.command]
    try:
        return run(options, connection(options), library)
    finally:
        history.flush()


if __name__ == "__main__":
    sys.exit(main())
