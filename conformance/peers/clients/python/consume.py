"""Reads a topic, in a group or alone, and tells of each record and each change of partitions."""

import time

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

import history
import options as command_line


class Consuming:
    """One run of a consumer."""

    def __init__(self, options, settings):
        self.options = options
        self.about = dict(topic=options.topic, group=options.group, member=options.member)
        self.read = 0
        self.failures = 0
        self.consumer = confluent_kafka.Consumer({**settings, "error_cb": self._error})

    def _error(self, error):
        history.emit("error", **self.about, error=str(error), fatal=error.fatal())

    def begin(self):
        options = self.options
        if options.group:
            self.consumer.subscribe([options.topic], on_assign=self._change("assigned"),
                                    on_revoke=self._change("revoked"), on_lost=self._change("lost"))
            return
        offset = {"earliest": confluent_kafka.OFFSET_BEGINNING, "latest": confluent_kafka.OFFSET_END}.get(options.begin)
        offset = int(options.begin) if offset is None else offset
        wanted = options.partitions
        if wanted is None:
            found = self.consumer.list_topics(options.topic, timeout=30).topics[options.topic]
            wanted = sorted(found.partitions)
        self.consumer.assign([TopicPartition(options.topic, p, offset) for p in wanted])
        history.emit("rebalance", **self.about, event="assigned", partitions=wanted)

    def _change(self, event):
        def told(consumer, partitions):
            if event == "revoked" and self.options.commit != "none":
                self._commit()
            history.emit("rebalance", **self.about, event=event, partitions=sorted(p.partition for p in partitions))
            history.flush()
        return told

    def _commit(self):
        try:
            self.consumer.commit(asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._NO_OFFSET:
                history.emit("error", **self.about, error=f"commit: {error}", fatal=False)

    def take(self, seconds):
        """Handles one poll; returns how many records came."""
        messages = self.consumer.consume(500, seconds)
        count = 0
        next_offsets = {}
        for message in messages:
            if message.error():
                if message.error().code() != KafkaError._PARTITION_EOF:
                    self.failures += 1
                    self._error(message.error())
                continue
            count += 1
            next_offsets[message.partition()] = message.offset() + 1
            key = message.key().decode("utf-8", "replace") if message.key() is not None else None
            history.emit("read", **self.about, partition=message.partition(), offset=message.offset(), key=key,
                         value=history.name_of(message.value()))
        self.read += count
        # First the line, then the commit: a reader killed in between reads again, and never leaves a hole in its history.
        history.flush()
        if count and self.options.group and self.options.commit != "none":
            self._store(next_offsets)
            if self.options.commit == "sync":
                self._commit()
        return count

    def _store(self, next_offsets):
        try:
            self.consumer.store_offsets(offsets=[TopicPartition(self.options.topic, p, o) for p, o in next_offsets.items()])
        except KafkaException as error:
            if error.args[0].code() != KafkaError._STATE:  # the partition went away within this poll
                raise


def settings_for(options, connection):
    found = {
        **connection,
        "group.id": options.group or "unused",
        "enable.auto.commit": bool(options.group) and options.commit == "auto",
        "enable.auto.offset.store": False,
        "auto.commit.interval.ms": options.commit_interval_ms,
        "auto.offset.reset": "latest" if options.begin == "latest" else "earliest",
        "isolation.level": options.isolation,
        "session.timeout.ms": options.session_timeout_ms,
        "fetch.wait.max.ms": 100,
    }
    if options.assignor:
        found["partition.assignment.strategy"] = options.assignor
    if options.instance_id:
        found["group.instance.id"] = options.instance_id
    own = command_line.pairs(options)
    if own.get("group.protocol") == "consumer":  # the broker decides
        del found["session.timeout.ms"]
    return {**found, **own}


def run(options, connection, library):
    if bool(options.group) == options.assign:
        raise SystemExit("want either --group or --assign")
    stop = history.Stop()
    run = Consuming(options, settings_for(options, connection))
    history.emit("start", role="consume", **run.about, library=library, isolation=options.isolation)
    try:
        run.begin()
        last = time.monotonic()
        while not stop.asked and not (options.count and run.read >= options.count):
            if run.take(0.1):
                last = time.monotonic()
            elif options.until_idle and time.monotonic() - last > options.until_idle / 1000:
                break
    except KafkaException as error:
        run.failures += 1
        history.emit("error", **run.about, error=str(error), fatal=True)
    run.consumer.close()  # commits what auto commit still holds
    history.emit("done", role="consume", **run.about, read=run.read)
    return 0 if run.failures == 0 else 4
