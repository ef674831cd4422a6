"use strict";
// Reads a topic, in a group or alone, and tells of each record and each change of partitions.

const { PartitionAssigners } = require("kafkajs");
const { emit, flush, unpadded } = require("./history");
const { number, numbers } = require("./options");

class Consuming {
  constructor(kafka, options, stop) {
    this.kafka = kafka;
    this.options = options;
    this.stop = stop;
    this.about = { topic: options.topic, group: options.group ?? null, member: options.member ?? "m1" };
    this.read = 0;
    this.last = Date.now();
    this.failure = null;
    this.mine = [];
    // kafkajs cannot read without a group: --assign joins one of its own, made for this run, and never commits.
    const groupId = options.group ?? `assign-${process.pid}-${Date.now()}`;
    this.commits = options.group ? options.commit ?? "auto" : "none";
    this.consumer = kafka.consumer({
      groupId,
      maxWaitTimeInMs: 100,
      readUncommitted: (options.isolation ?? "read_uncommitted") === "read_uncommitted",
      sessionTimeout: number(options, "session-timeout-ms", 10_000),
      heartbeatInterval: 1000,
      partitionAssigners: [PartitionAssigners.roundRobin],
      // Few and short: kafkajs asks for the coordinator again only when it has given up and starts over. With patient
      // retries it goes on reading while every commit fails, until the group throws it out 30 s later.
      retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 5 },
    });
  }

  tell(op, fields) {
    emit(op, { ...this.about, ...fields });
  }

  watch() {
    const { GROUP_JOIN, CRASH, REBALANCING } = this.consumer.events;
    this.consumer.on(GROUP_JOIN, ({ payload }) => {
      this.last = Date.now();
      this.mine = [...(payload.memberAssignment[this.options.topic] ?? [])].sort((a, b) => a - b);
      this.tell("rebalance", { event: "assigned", partitions: this.mine });
    });
    this.consumer.on(REBALANCING, () => {
      // It gives everything up here; the next join names what it has.
      this.tell("rebalance", { event: "revoked", partitions: this.mine });
    });
    this.consumer.on(CRASH, ({ payload }) => {
      this.tell("error", { error: payload.error.message, fatal: !payload.restart });
      if (!payload.restart) this.failure = payload.error;
    });
  }

  async begin() {
    const from = this.options.from ?? "earliest";
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [this.options.topic], fromBeginning: from !== "latest" });
    const wanted = this.options.assign ? numbers(this.options, "partitions") : null;
    await this.consumer.run({
      autoCommit: this.commits === "auto",
      autoCommitInterval: number(this.options, "commit-interval-ms", 500),
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 1,
      eachBatch: (given) => this.take(given, wanted),
    });
    if (this.options.assign && /^\d+$/.test(from)) {
      for (const partition of wanted ?? []) this.consumer.seek({ topic: this.options.topic, partition, offset: from });
    }
  }

  async take({ batch, resolveOffset, heartbeat, isRunning, isStale }, wanted) {
    if (wanted !== null && !wanted.includes(batch.partition)) return;
    const most = number(this.options, "count", 0) || Infinity;
    let next = null; // not the end of the batch: reading may stop in the middle of it
    for (const message of batch.messages) {
      if (!isRunning() || isStale() || this.read >= most) break;
      this.read += 1;
      const key = message.key === null ? null : message.key.toString();
      this.tell("read", { partition: batch.partition, offset: Number(message.offset), key, value: unpadded(message.value) });
      resolveOffset(message.offset);
      next = String(Number(message.offset) + 1);
    }
    this.last = Date.now();
    await flush(); // before the commit: a reader killed in between must not leave a hole in its history
    if (this.commits === "sync" && next !== null) {
      await this.consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset: next }]);
    }
    await heartbeat();
  }

  /** Waits until there is a reason to end. */
  async end() {
    const most = number(this.options, "count", 0) || Infinity;
    const idleMs = number(this.options, "until-idle", 0) || Infinity;
    while (!this.stop.now && !this.failure && this.read < most && Date.now() - this.last < idleMs) {
      await Promise.race([this.stop.asked, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
  }
}

async function run(kafka, options, stop, library) {
  if (Boolean(options.group) === Boolean(options.assign)) throw new Error("want either --group or --assign");
  const run = new Consuming(kafka, options, stop);
  run.tell("start", { role: "consume", library, isolation: options.isolation ?? "read_uncommitted" });
  try {
    run.watch();
    await run.begin();
    await run.end();
    await run.consumer.disconnect();
  } catch (error) {
    run.failure = error;
    run.tell("error", { error: error.message, fatal: true });
  }
  run.tell("done", { role: "consume", read: run.read });
  return run.failure ? 4 : 0;
}

module.exports = { run };
