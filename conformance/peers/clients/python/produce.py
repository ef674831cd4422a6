"""Writes numbered records and tells what became of each."""

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException

import history
import options as command_line

# Errors after which a record is surely not in the log: it was never sent, or the broker refused it.
REFUSED = {
    KafkaError._PURGE_QUEUE, KafkaError._QUEUE_FULL, KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC, KafkaError.INVALID_RECORD, KafkaError.POLICY_VIOLATION,
}


class Producing:
    """One run of a producer."""

    def __init__(self, options, settings):
        self.options = options
        self.acked = 0
        self.failed = 0
        self.unsure = 0
        self.seq = options.start
        self.producer = confluent_kafka.Producer({**settings, "error_cb": self._error})

    def _error(self, error):
        history.emit("error", client=self.options.id, error=str(error), fatal=error.fatal())

    def send(self, txn):
        options, seq = self.options, self.seq
        self.seq += 1
        key = f"{options.id}-{seq % options.keys}"
        deletes = options.delete_every and seq % options.delete_every == 0
        value = None if deletes else history.value_of(options.id, seq, options.value_bytes).encode()
        sent_ms = history.now_ms()
        where = {"partition": options.partitions[seq % len(options.partitions)]} if options.partitions else {}
        told = lambda error, message: self._told(error, message, seq, key, sent_ms, txn, deletes)  # noqa: E731
        while True:
            try:
                self.producer.produce(options.topic, value, key.encode(), on_delivery=told, **where)
                return
            except BufferError:
                self.producer.poll(0.05)

    def _told(self, error, message, seq, key, sent_ms, txn, deletes):
        about = dict(client=self.options.id, topic=self.options.topic, seq=seq, key=key, sent_ms=sent_ms)
        about["value"] = history.name_of(None) if deletes else f"{self.options.id}:{seq:06d}"
        if txn is not None:
            about["txn"] = txn
        if error is not None:
            self.failed += 1
            definite = error.code() in REFUSED
            history.emit("fail", **about, definite=definite, error=str(error))
            return
        self.acked += 1
        # With acks=0 librdkafka makes up an offset or says -1001: neither is the broker's word.
        offset = message.offset() if self.options.acks != "0" and message.offset() is not None else -1
        history.emit("ack", **about, partition=message.partition(), offset=max(offset, -1))

    def wait(self, seconds):
        self.producer.poll(seconds)
        history.flush()


def settings_for(options, connection):
    found = {
        **connection,
        "acks": options.acks,
        "compression.type": options.compression,
        "enable.idempotence": options.idempotent and options.acks == "all",
        "linger.ms": 5,
    }
    if options.transactional_id:
        found["transactional.id"] = options.transactional_id
    return {**found, **command_line.pairs(options)}


def run(options, connection, library):
    stop = history.Stop()
    settings = settings_for(options, connection)
    idempotent = bool(settings["enable.idempotence"])
    history.emit("start", role="produce", client=options.id, topic=options.topic, library=library, acks=options.acks,
                 idempotent=idempotent, compression=options.compression, first=options.start)
    run = Producing(options, settings)
    try:
        if options.transactional_id:
            _transactions(run, stop)
        else:
            _plain(run, stop, options.start + options.count if options.count else None)
    except KafkaException as error:
        history.emit("error", client=options.id, error=str(error), fatal=True)
    left = run.producer.flush(130)
    history.emit("done", role="produce", client=options.id, topic=options.topic, first=options.start,
                 sent=run.seq - options.start, acked=run.acked, failed=run.failed, unknown=left)
    return 0 if left == 0 and run.failed == 0 else 4


def _plain(run, stop, end):
    pace = history.Pace(run.options.rate)
    while not stop.asked and (end is None or run.seq < end):
        wait_s = pace.wait_s()
        if wait_s > 0:
            run.wait(min(wait_s, 0.1))
            continue
        run.send(None)
        pace.count()
        run.wait(0)


def _transactions(run, stop):
    options = run.options
    end = options.start + options.count if options.count else None
    pace = history.Pace(options.rate)
    run.producer.init_transactions(60)
    txn = 0
    while not stop.asked and (end is None or run.seq < end):
        txn += 1
        run.producer.begin_transaction()
        for _ in range(options.txn_size):
            if end is not None and run.seq >= end:
                break
            while pace.wait_s() > 0:
                run.wait(min(pace.wait_s(), 0.1))
            run.send(txn)
            pace.count()
            run.wait(0)
        aborted = options.abort_every and txn % options.abort_every == 0
        if aborted:
            run.producer.flush(60)
            run.producer.abort_transaction(60)
        else:
            run.producer.commit_transaction(60)
        history.emit("txn", client=options.id, topic=options.topic, txn=txn, outcome="abort" if aborted else "commit")
        history.flush()
