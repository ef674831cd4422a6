"use strict";
// Administration: each command prints one result line.

const { ConfigResourceTypes } = require("kafkajs");
const { emit } = require("./history");
const { number } = require("./options");

const STATES = { Empty: "empty", Stable: "stable", Dead: "dead", PreparingRebalance: "preparing_rebalance" };

const commands = {
  async "list-topics"(admin) {
    return { topics: (await admin.listTopics()).sort() };
  },
  async "create-topic"(admin, options) {
    const configEntries = Object.entries(options.config).map(([name, value]) => ({ name, value }));
    const numPartitions = number(options, "partitions", 1);
    const replicationFactor = number(options, "replication", -1);
    const topics = [{ topic: options.topic, numPartitions, replicationFactor, configEntries }];
    const created = await admin.createTopics({ topics, waitForLeaders: false });
    if (!created) throw Object.assign(new Error("the topic exists"), { type: "TOPIC_ALREADY_EXISTS" });
    return { topic: options.topic };
  },
  async "describe-topic"(admin, options) {
    const { topics } = await admin.fetchTopicMetadata({ topics: [options.topic] });
    const partitions = topics[0].partitions
      .map((one) => ({ partition: one.partitionId, leader: one.leader, replicas: one.replicas, isr: one.isr }))
      .sort((a, b) => a.partition - b.partition);
    return { topic: options.topic, partitions };
  },
  async "delete-topic"(admin, options) {
    await admin.deleteTopics({ topics: [options.topic] });
    return { topic: options.topic };
  },
  async "add-partitions"(admin, options) {
    await admin.createPartitions({ topicPartitions: [{ topic: options.topic, count: number(options, "partitions", 1) }] });
    return { topic: options.topic };
  },
  async "get-config"(admin, options) {
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: options.topic }];
    const found = await admin.describeConfigs({ resources, includeSynonyms: false });
    const entries = found.resources[0].configEntries.map((one) => [one.configName, one.configValue]);
    return { topic: options.topic, config: Object.fromEntries(entries) };
  },
  async "set-config"(admin, options) {
    // kafkajs knows the older AlterConfigs alone, which replaces all settings of a topic.
    const configEntries = Object.entries(options.config).map(([name, value]) => ({ name, value }));
    await admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: options.topic, configEntries }] });
    return { topic: options.topic };
  },
  async "list-groups"(admin) {
    const { groups } = await admin.listGroups();
    return { groups: groups.map((one) => one.groupId).sort() };
  },
  async "describe-group"(admin, options) {
    const { groups } = await admin.describeGroups([options.group]);
    const members = groups[0].members.map((one) => ({ client_id: one.clientId }));
    return { group: options.group, state: STATES[groups[0].state] ?? groups[0].state, members };
  },
  async "delete-group"(admin, options) {
    await admin.deleteGroups([options.group]);
    return { group: options.group };
  },
  async "group-offsets"(admin, options) {
    const found = await admin.fetchOffsets({ groupId: options.group, topics: options.topic ? [options.topic] : undefined });
    const offsets = found.flatMap(({ topic, partitions }) =>
      partitions.map((one) => ({ topic, partition: one.partition, offset: Number(one.offset), metadata: one.metadata ?? "" })),
    );
    return { group: options.group, offsets };
  },
  async "set-group-offset"(admin, options) {
    const partitions = [{ partition: number(options, "partition", 0), offset: String(number(options, "offset", 0)) }];
    await admin.setOffsets({ groupId: options.group, topic: options.topic, partitions });
    return { group: options.group };
  },
  async offsets(admin, options) {
    const found = await admin.fetchTopicOffsets(options.topic);
    const offsets = found
      .map((one) => ({ partition: one.partition, earliest: Number(one.low), latest: Number(one.high) }))
      .sort((a, b) => a.partition - b.partition);
    return { topic: options.topic, offsets };
  },
  async "delete-records"(admin, options) {
    const partition = number(options, "partition", 0);
    const offset = number(options, "offset", 0);
    await admin.fetchTopicOffsets(options.topic); // or it knows nothing of the topic, and fails
    await admin.deleteTopicRecords({ topic: options.topic, partitions: [{ partition, offset: String(offset) }] });
    const low = (await admin.fetchTopicOffsets(options.topic)).find((one) => one.partition === partition).low;
    return { topic: options.topic, partition, low_watermark: Number(low) };
  },
};

async function run(kafka, options) {
  const command = commands[options.what];
  if (!command) throw new Error(`no admin command ${options.what}`);
  const admin = kafka.admin({ retry: { retries: 8 } });
  try {
    await admin.connect();
    emit("result", { command: options.what, ...(await command(admin, options)) });
    return 0;
  } catch (error) {
    // Errors about several things carry their causes inside.
    const cause = error.errors?.[0] ?? error.groups?.[0]?.error ?? error;
    emit("error", { command: options.what, code: cause.type ?? "UNKNOWN", error: cause.message ?? String(cause), fatal: true });
    return 4;
  } finally {
    await admin.disconnect();
  }
}

module.exports = { run };
