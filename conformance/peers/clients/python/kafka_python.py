#!/usr/bin/env python3
"""Test program on kafka-python, a client that shares no code with librdkafka. It produces and consumes; no admin."""

import sys
import threading
import time

import kafka
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, MessageSizeTooLargeError

import history
import options as command_line

LIBRARY = f"kafka-python {kafka.__version__}"


def connection(options):
    found = {"bootstrap_servers": options.bootstrap.split(",")}
    if options.tls_ca:
        found.update(security_protocol="SSL", ssl_cafile=options.tls_ca)
    if options.sasl:
        mechanism, user, password = options.sasl.split(":", 2)
        found["security_protocol"] = "SASL_SSL" if options.tls_ca else "SASL_PLAINTEXT"
        found.update(sasl_mechanism=mechanism, sasl_plain_username=user, sasl_plain_password=password)
    return found


class Producing:
    """One run of a producer."""

    def __init__(self, options):
        self.options = options
        self.idempotent = options.idempotent and options.acks == "all"
        self.lock = threading.Lock()
        self.acked = 0
        self.failed = 0
        self.producer = KafkaProducer(
            **connection(options), acks=options.acks if options.acks == "all" else int(options.acks),
            enable_idempotence=self.idempotent, linger_ms=5,
            compression_type=None if options.compression == "none" else options.compression,
        )

    def send(self, seq):
        options = self.options
        key = f"{options.id}-{seq % options.keys}"
        about = dict(client=options.id, topic=options.topic, seq=seq, key=key, value=f"{options.id}:{seq:06d}",
                     sent_ms=history.now_ms())
        value = history.value_of(options.id, seq, options.value_bytes).encode()
        partition = options.partitions[seq % len(options.partitions)] if options.partitions else None
        sent = self.producer.send(options.topic, value=value, key=key.encode(), partition=partition)
        sent.add_callback(self._acked, about)
        sent.add_errback(self._failed, about)

    def _acked(self, about, where):
        with self.lock:
            self.acked += 1
            offset = -1 if self.options.acks == "0" or where.offset is None else where.offset
            history.emit("ack", **about, partition=where.partition, offset=offset)

    def _failed(self, about, error):
        with self.lock:
            self.failed += 1
            history.emit("fail", **about, definite=isinstance(error, MessageSizeTooLargeError), error=repr(error))

    def flush(self):
        with self.lock:
            history.flush()


def produce(options):
    stop = history.Stop()
    run = Producing(options)
    history.emit("start", role="produce", client=options.id, topic=options.topic, library=LIBRARY, acks=options.acks,
                 idempotent=run.idempotent, compression=options.compression, first=options.start)
    pace = history.Pace(options.rate)
    seq = options.start
    while not stop.asked and (options.count == 0 or seq < options.start + options.count):
        if pace.wait_s() > 0:
            run.flush()
            time.sleep(min(pace.wait_s(), 0.05))
            continue
        run.send(seq)
        seq += 1
        pace.count()
    try:
        run.producer.flush(timeout=130)
        run.producer.close(timeout=10)
    except KafkaError as error:
        history.emit("error", client=options.id, error=repr(error), fatal=True)
    sent = seq - options.start
    unknown = sent - run.acked - run.failed
    history.emit("done", role="produce", client=options.id, topic=options.topic, first=options.start, sent=sent,
                 acked=run.acked, failed=run.failed, unknown=unknown)
    return 0 if run.acked == sent else 4


class Consuming(ConsumerRebalanceListener):
    """One run of a consumer."""

    def __init__(self, options):
        self.options = options
        self.about = dict(topic=options.topic, group=options.group, member=options.member)
        self.read = 0
        self.consumer = KafkaConsumer(
            **connection(options), group_id=options.group, isolation_level=options.isolation, fetch_max_wait_ms=100,
            auto_offset_reset="latest" if options.begin == "latest" else "earliest",
            enable_auto_commit=bool(options.group) and options.commit == "auto",
            auto_commit_interval_ms=options.commit_interval_ms, session_timeout_ms=options.session_timeout_ms,
        )

    def begin(self):
        if self.options.group:
            self.consumer.subscribe([self.options.topic], listener=self)
            return
        wanted = self.options.partitions or sorted(self.consumer.partitions_for_topic(self.options.topic))
        places = [TopicPartition(self.options.topic, p) for p in wanted]
        self.consumer.assign(places)
        if self.options.begin == "earliest":
            self.consumer.seek_to_beginning(*places)
        elif self.options.begin == "latest":
            self.consumer.seek_to_end(*places)
        else:
            for place in places:
                self.consumer.seek(place, int(self.options.begin))
        self.on_partitions_assigned(places)

    def on_partitions_assigned(self, assigned):
        self._changed("assigned", assigned)

    def on_partitions_revoked(self, revoked):
        self._changed("revoked", revoked)

    def _changed(self, event, partitions):
        history.emit("rebalance", **self.about, event=event, partitions=sorted(p.partition for p in partitions))
        history.flush()

    def take(self):
        count = 0
        for records in self.consumer.poll(timeout_ms=100, max_records=500).values():
            for record in records:
                count += 1
                key = record.key.decode("utf-8", "replace") if record.key is not None else None
                history.emit("read", **self.about, partition=record.partition, offset=record.offset, key=key,
                             value=history.name_of(record.value))
        self.read += count
        history.flush()  # before the commit: a reader killed in between must not leave a hole in its history
        if count and self.options.group and self.options.commit == "sync":
            self.consumer.commit()
        return count


def consume(options):
    if bool(options.group) == options.assign:
        raise SystemExit("want either --group or --assign")
    stop = history.Stop()
    run = Consuming(options)
    history.emit("start", role="consume", **run.about, library=LIBRARY, isolation=options.isolation)
    failed = False
    try:
        run.begin()
        last = time.monotonic()
        while not stop.asked and not (options.count and run.read >= options.count):
            if run.take():
                last = time.monotonic()
            elif options.until_idle and time.monotonic() - last > options.until_idle / 1000:
                break
        run.consumer.close(autocommit=options.commit != "none")
    except KafkaError as error:
        failed = True
        history.emit("error", **run.about, error=repr(error), fatal=True)
    history.emit("done", role="consume", **run.about, read=run.read)
    return 4 if failed else 0


def main():
    options = command_line.parse("client kafka-python")
    run = {"produce": produce, "consume": consume}.get(options.command)
    if run is None:
        raise SystemExit("kafka-python does not administer here: use another client")
    try:
        return run(options)
    finally:
        history.flush()


if __name__ == "__main__":
    sys.exit(main())
