"""What transactions promise, one promise a run; a `result` line says what was seen.

Nothing here judges: the same run against another broker has to give the same line.
"""

import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

import history
import options as command_line

SECONDS = 90


def run(options, connection, library):
    history.emit("start", role="transact", client=options.id, topic=options.topic, library=library)
    steps = {"fence": fence, "time-out": time_out, "stable": stable, "pipeline": pipeline, "open": left_open,
             "zombie": left_behind, "late": late}
    try:
        seen = steps[options.what](options, {**connection, **command_line.pairs(options)})
    except KafkaException as error:
        history.emit("error", client=options.id, error=str(error), fatal=True)
        return 4
    history.emit("result", command=f"transact {options.what}", **seen)
    return 0


def producer(connection, name, **settings):
    made = Producer({**connection, "transactional.id": name, **settings})
    made.init_transactions(SECONDS)
    return made


def write(made, topic, values, partition=0):
    for value in values:
        made.produce(topic, value.encode(), partition=partition)
    made.flush(SECONDS)


def outcome(act):
    """`done`, or the name of the error that a call ends with."""
    try:
        act()
        return "done"
    except KafkaException as error:
        what = error.args[0]
        return f"{what.name()}{' fatal' if what.fatal() else ''}{' abortable' if what.txn_requires_abort() else ''}"


def ends(connection, topic, partition=0):
    """Last stable offset and high watermark."""
    admin = AdminClient(connection)
    found = []
    for level in (confluent_kafka.IsolationLevel.READ_COMMITTED, confluent_kafka.IsolationLevel.READ_UNCOMMITTED):
        asked = admin.list_offsets({TopicPartition(topic, partition): OffsetSpec.latest()}, isolation_level=level)
        found.append(next(iter(asked.values())).result(SECONDS).offset)
    return found


def values(connection, topic, committed=True, partition=0):
    """What a reader sees from the beginning to the end that its isolation allows."""
    isolation = "read_committed" if committed else "read_uncommitted"
    reader = Consumer({
        **connection, "group.id": "none", "enable.auto.commit": False, "isolation.level": isolation,
        "enable.partition.eof": True,
    })
    reader.assign([TopicPartition(topic, partition, 0)])
    seen = []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        message = reader.poll(1)
        if message is not None and message.error():
            break  # the end of the partition
        if message is not None:
            seen.append(message.value().decode())
    reader.close()
    return seen


def until_stable(connection, topic, seconds=SECONDS):
    """Waits until nothing is open."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        stable_end, end = ends(connection, topic)
        if stable_end == end:
            return True
        time.sleep(0.2)
    return False


def fence(options, connection):
    """A second producer of the same id: the first one's transaction is aborted, and it can do nothing more."""
    zombie = producer(connection, options.id)
    zombie.begin_transaction()
    write(zombie, options.topic, ["zombie-1", "zombie-2"])
    heir = producer(connection, options.id)
    zombie.produce(options.topic, b"zombie-3", partition=0)
    ended = outcome(lambda: zombie.commit_transaction(SECONDS))
    heir.begin_transaction()
    write(heir, options.topic, ["heir-1"])
    heir.commit_transaction(SECONDS)
    settled = until_stable(connection, options.topic)
    return dict(zombie=ended, settled=settled, committed=values(connection, options.topic),
                stored=values(connection, options.topic, committed=False), ends=ends(connection, options.topic))


def time_out(options, connection):
    """Nobody ends the transaction: its coordinator does, and fences the producer."""
    slow = producer(connection, options.id, **{"transaction.timeout.ms": 3000, "message.timeout.ms": 3000})
    slow.begin_transaction()
    write(slow, options.topic, ["late"])
    opened = ends(connection, options.topic)
    settled = until_stable(connection, options.topic)
    ended = outcome(lambda: slow.commit_transaction(SECONDS))
    return dict(opened=opened, settled=settled, ended=ended, committed=values(connection, options.topic),
                ends=ends(connection, options.topic))


def stable(options, connection):
    """Readers of committed records see nothing at or above the first open transaction, nor what was aborted."""
    first, second = producer(connection, options.id), producer(connection, f"{options.id}-2")
    plain = Producer(connection)
    first.begin_transaction()
    second.begin_transaction()
    write(plain, options.topic, ["plain-1"])
    write(first, options.topic, ["first-1", "first-2"])
    write(second, options.topic, ["second-1"])
    write(plain, options.topic, ["plain-2"])
    seen = [values(connection, options.topic), ends(connection, options.topic)]
    second.commit_transaction(SECONDS)
    seen += [values(connection, options.topic), ends(connection, options.topic)]
    first.abort_transaction(SECONDS)
    settled = until_stable(connection, options.topic)
    seen += [values(connection, options.topic), ends(connection, options.topic)]
    return dict(seen=seen, settled=settled, stored=values(connection, options.topic, committed=False))


def left_open(options, connection):
    """Leaves a transaction open and says so; goes on when a line comes in, and commits."""
    made = producer(connection, options.id)
    made.begin_transaction()
    write(made, options.topic, ["before"])
    history.emit("open", client=options.id)
    history.flush()
    input()
    write(made, options.topic, ["after"])
    ended = outcome(lambda: made.commit_transaction(SECONDS))
    settled = until_stable(connection, options.topic)
    return dict(ended=ended, settled=settled, committed=values(connection, options.topic))


def left_behind(options, connection):
    """Commits a transaction and says so; when a line comes in, another producer takes the id over."""
    zombie = producer(connection, options.id)
    zombie.begin_transaction()
    write(zombie, options.topic, ["before"])
    zombie.commit_transaction(SECONDS)
    history.emit("open", client=options.id)
    history.flush()
    input()
    heir = producer(connection, options.id)
    heir.begin_transaction()
    write(heir, options.topic, ["heir-1"])

    def late():
        zombie.begin_transaction()
        zombie.produce(options.topic, b"zombie-1", partition=0)
        zombie.commit_transaction(SECONDS)

    ended = outcome(late)
    heir.commit_transaction(SECONDS)
    return dict(zombie=ended, settled=until_stable(connection, options.topic), committed=values(connection, options.topic))


def late(options, connection):
    """Commits a transaction and says so; when a line comes in, it goes on as if nothing had happened meanwhile."""
    left = producer(connection, options.id)
    left.begin_transaction()
    write(left, options.topic, ["before"])
    left.commit_transaction(SECONDS)
    history.emit("open", client=options.id)
    history.flush()
    input()

    def again():
        left.begin_transaction()
        left.produce(options.topic, b"late-1", partition=0)
        left.commit_transaction(SECONDS)

    return dict(late=outcome(again), committed=values(connection, options.topic))


def pipeline(options, connection):
    """Consume, transform, produce, with the offsets in the transaction; every third one is aborted and done again.

    What ends a producer for good is answered as an application does: by a new one, from the offsets committed last.
    """
    done = restarts = 0
    connection = {**connection, **REMEMBERS}
    while done < options.count:
        reader = Consumer({
            **connection, "group.id": f"{options.id}-group", "enable.auto.commit": False,
            "isolation.level": "read_committed", "auto.offset.reset": "earliest",
        })
        reader.subscribe([options.source])
        try:
            done = flow(options, reader, producer(connection, options.id, **TIME_OUT))
        except KafkaException as error:
            restarts += 1
            history.emit("restart", client=options.id, error=str(error))
            history.flush()
            done = committed_sum(reader)
        reader.close()
    return dict(done=done, committed=done, restarts=restarts)


# A transaction whose producer has gone is over soon, and keeps no reader of committed records waiting.
TIME_OUT = {"transaction.timeout.ms": 10000}
# librdkafka 2.16 forgets all brokers when all are gone for a moment, and waits in vain for a group's coordinator that it knew.
REMEMBERS = {"metadata.recovery.strategy": "none"}


def committed_sum(reader):
    """Offsets committed, over all partitions; 0 while that cannot be said."""
    try:
        return sum(max(place.offset, 0) for place in reader.committed(reader.assignment(), SECONDS))
    except KafkaException:
        return 0


def flow(options, reader, writer):
    """Goes on until everything is committed; how much that is."""
    batches, done = 0, 0
    while done < options.count:
        batch = [message for message in reader.consume(10, 1.0) if not message.error()]
        if not batch:
            done = committed_sum(reader)
            continue
        batches += 1
        writer.begin_transaction()
        for message in batch:
            writer.produce(options.topic, message.value(), message.key())
        writer.send_offsets_to_transaction(reader.position(reader.assignment()), reader.consumer_group_metadata(), SECONDS)
        if batches % 3 == 0:
            writer.abort_transaction(SECONDS)
            for place in reader.committed(reader.assignment(), SECONDS):
                place.offset = max(place.offset, 0)
                reader.seek(place)
            continue
        writer.commit_transaction(SECONDS)
        done = committed_sum(reader)
    return done
