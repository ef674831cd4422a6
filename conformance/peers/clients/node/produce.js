"use strict";
// Writes numbered records and tells what became of each.

const { Partitioners } = require("kafkajs");
const { TYPES } = require("./codecs");
const { emit, flush, nameOf, valueOf } = require("./history");
const { number, numbers } = require("./options");

const BATCH_RECORDS_MAX = 100;
const CHOSEN = Symbol("partition");
// Refusals after which a record is surely not in the log.
const REFUSED = new Set(["MESSAGE_TOO_LARGE", "TOPIC_AUTHORIZATION_FAILED", "INVALID_TOPIC_EXCEPTION"]);

class Producing {
  constructor(kafka, options, stop) {
    this.options = options;
    this.stop = stop;
    this.client = options.id;
    this.topic = options.topic;
    this.acks = { 0: 0, 1: 1, all: -1 }[options.acks ?? "all"];
    // Only when asked for, as in kafkajs itself: its idempotent producer loses writes when a broker fails (README.md).
    this.idempotent = (options.idempotent ?? "false") === "true" && this.acks === -1;
    this.partitions = numbers(options, "partitions");
    this.first = number(options, "start", 0);
    this.end = number(options, "count", 0) > 0 ? this.first + number(options, "count", 0) : Infinity;
    this.rate = number(options, "rate", 0);
    this.seq = this.first;
    this.counts = { acked: 0, failed: 0 };
    this.begun = Date.now();
    this.producer = kafka.producer({
      idempotent: this.idempotent || Boolean(options["transactional-id"]),
      transactionalId: options["transactional-id"],
      maxInFlightRequests: 1,
      createPartitioner: notingPartitioner,
      retry: { retries: 60, maxRetryTime: 2000 },
    });
  }

  /** How many records are due now; waits until there is one. */
  async due(most) {
    for (;;) {
      const open = this.stop.now ? 0 : Math.min(most, this.end - this.seq);
      if (open <= 0 || this.rate === 0) return open;
      const behind = Math.floor(((Date.now() - this.begun) * this.rate) / 1000) + 1 - (this.seq - this.first);
      if (behind > 0) return Math.min(open, behind);
      await new Promise((resolve) => setTimeout(resolve, Math.min(1000 / this.rate, 50)));
    }
  }

  record() {
    const seq = this.seq++;
    const key = `${this.client}-${seq % number(this.options, "keys", 16)}`;
    const record = { seq, key, value: valueOf(this.client, seq, number(this.options, "value-bytes", 0)) };
    if (this.partitions) record.partition = this.partitions[seq % this.partitions.length];
    return record;
  }

  about(record, sentMs, txn) {
    const { client, topic } = this;
    const about = { client, topic, seq: record.seq, key: record.key, value: nameOf(client, record.seq), sent_ms: sentMs };
    return txn === null ? about : { ...about, txn };
  }

  /** Sends a batch. kafkajs answers with one base offset a partition: the n-th record there has that plus n. */
  async send(sender, records, txn) {
    const sentMs = Date.now();
    const messages = records.map(({ key, value, partition }) => ({ key, value, partition }));
    const compression = TYPES[this.options.compression ?? "none"];
    try {
      const answers = await sender.send({ topic: this.topic, messages, acks: this.acks, compression });
      const next = new Map((answers ?? []).map((one) => [one.partition, Number(one.baseOffset ?? one.offset ?? -1)]));
      records.forEach((record, index) => this.acked(record, messages[index][CHOSEN] ?? -1, next, sentMs, txn));
    } catch (error) {
      const definite = REFUSED.has(error.type);
      for (const record of records) {
        this.counts.failed += 1;
        emit("fail", { ...this.about(record, sentMs, txn), definite, error: error.message });
      }
    }
    await flush();
  }

  /** kafkajs 2.2.4 resolves a send of which it has not sent a part: a partition whose new leader had answered for others. */
  acked(record, partition, next, sentMs, txn) {
    const at = this.acks === 0 ? -1 : next.get(partition) ?? -1;
    if (this.acks !== 0 && at < 0) {
      this.counts.failed += 1;
      emit("fail", { ...this.about(record, sentMs, txn), definite: false, error: "kafkajs says done, and has no answer for the partition" });
      return;
    }
    this.counts.acked += 1;
    if (at >= 0) next.set(partition, at + 1);
    emit("ack", { ...this.about(record, sentMs, txn), partition, offset: at });
  }

  async plain() {
    for (let count = await this.due(BATCH_RECORDS_MAX); count > 0; count = await this.due(BATCH_RECORDS_MAX)) {
      await this.send(this.producer, Array.from({ length: count }, () => this.record()), null);
    }
  }

  async transactions() {
    const size = number(this.options, "txn-size", 10);
    const abortEvery = number(this.options, "abort-every", 0);
    for (let txn = 1; this.seq < this.end && !this.stop.now; txn++) {
      const transaction = await this.producer.transaction();
      for (let left = size, count; left > 0 && (count = await this.due(left)) > 0; left -= count) {
        await this.send(transaction, Array.from({ length: count }, () => this.record()), txn);
      }
      const abort = abortEvery > 0 && txn % abortEvery === 0;
      await (abort ? transaction.abort() : transaction.commit());
      emit("txn", { client: this.client, topic: this.topic, txn, outcome: abort ? "abort" : "commit" });
      await flush();
    }
  }
}

/** kafkajs does not say where a record went, so its partitioner leaves a note on the message. */
function notingPartitioner() {
  const choose = Partitioners.DefaultPartitioner();
  return (given) => {
    const partition = choose(given);
    given.message[CHOSEN] = partition;
    return partition;
  };
}

async function run(kafka, options, stop, library) {
  const run = new Producing(kafka, options, stop);
  const { client, topic, first, idempotent } = run;
  const compression = options.compression ?? "none";
  emit("start", { role: "produce", client, topic, library, acks: options.acks ?? "all", idempotent, compression, first });
  try {
    await run.producer.connect();
    await (options["transactional-id"] ? run.transactions() : run.plain());
    await run.producer.disconnect();
  } catch (error) {
    emit("error", { client, error: error.message, fatal: true });
  }
  const sent = run.seq - first;
  const unknown = sent - run.counts.acked - run.counts.failed;
  emit("done", { role: "produce", client, topic, first, sent, ...run.counts, unknown });
  return unknown === 0 && run.counts.failed === 0 ? 0 : 4;
}

module.exports = { run };
