//! The past of the demo's stand-in for legacy: what a Kafka that has been in use for years looks like.
//!
//! A kernel that leads its logs from the first record on has epoch 0 and no gaps. So the stand-in's logs begin as
//! copies: batches are mirrored at offsets and under epochs of their own, as the feed does with those of a real
//! Kafka, and then the kernel leads them, as after a handover. Nothing here exists for the demo alone but the plan
//! of what to write. The process that does it ends before the stand-in serves its first client.
//!
//! ```text
//! offset  1000      1012     1020   …            one partition, 20 batches of 5 values
//!         [2 ·····] [2 ·····][2 ·····] M  [4 …   epochs 2, 4, 5; M: transaction marker; holes as compaction leaves
//! ```

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use conformance::demo::client::value;
use conformance::demo::line::{Line, now_ms};
use conformance::demo::spec::PastSpec;
use kernel_model::batch::{BatchSpec, NewRecord};
use kernel_model::request::MirrorOrigin;
use kernel_model::{LogEpoch, LogId, Offset, Reply, Request, VerifiedBatch};
use translator_kafka::coordinator::message::{CatalogMessage, CatalogReply, MirrorPartition, PartitionEpoch};
use translator_kafka::placement::{CATALOG, CATALOG_SHARD};

use crate::clock::Clock;
use crate::health::Health;
use crate::node::Node;
use crate::shards::Shards;

const BATCHES: usize = 20;
const BATCH_VALUES: u64 = 5;
/// First offset of a partition; each further one begins a little later.
const START: u64 = 1_000;
/// Epochs of the past, a third of the batches each; then the stand-in leads under one of its own.
const EPOCHS: [i32; 3] = [2, 4, 5];
const EPOCH_NOW: i32 = 7;
/// Every third batch follows a hole of as many offsets, every fourth is a transaction with its marker.
const HOLE: u64 = 7;
/// Key of a marker that commits (version 0, type 1), and its value (version 0, coordinator epoch 0).
const COMMIT: &[u8] = &[0, 0, 0, 1];
const COMMIT_VALUE: &[u8] = &[0, 0, 0, 0, 0, 0];

/// One value and where it lies.
struct Written {
    seq: u64,
    offset: u64,
}

/// The past of one partition.
struct Past {
    batches: Vec<VerifiedBatch>,
    written: Vec<Written>,
    end: u64,
}

/// Writes the past into the data folder that `spec.config` names, and says what it wrote as a producer would.
pub(super) async fn run(spec: &PastSpec) -> Result<()> {
    let config = config::load(&spec.config)
        .map_err(|problems| anyhow::anyhow!("the stand-in's configuration: {problems:?}"))?;
    let node = Node::start(&config, Clock::start(), Arc::new(Health::default())).await?;
    let lines = write(&node, spec, config.kernel.client_node_id()).await;
    node.stop().await;
    let mut out = std::io::stdout().lock();
    for line in lines? {
        writeln!(out, "{}", serde_json::to_string(&line)?)?;
    }
    Ok(())
}

async fn write(node: &Node, spec: &PastSpec, node_id: i32) -> Result<Vec<Line>> {
    let mut lines = vec![Line::Start {
        role: "produce".to_owned(),
        client: spec.client.clone(),
        member: String::new(),
        group: None,
        acks: "all".to_owned(),
        idempotent: true,
        first: 0,
    }];
    let mut sent = 0;
    for (number, topic) in (1_u8..).zip(&spec.topics) {
        create(node, topic, number, spec.partitions).await?;
        for partition in 0..spec.partitions {
            let past = past(&spec.client, partition, sent)?;
            sent += u64::try_from(past.written.len())?;
            for each in &past.written {
                lines.push(acknowledged(&spec.client, topic, partition, each, node_id)?);
            }
            mirror(node, topic, partition, past).await?;
        }
        lead(&node.shards(), topic, spec.partitions).await?;
    }
    let (role, client) = ("produce".to_owned(), spec.client.clone());
    lines.push(Line::Done { role, client, member: String::new(), sent });
    Ok(lines)
}

fn acknowledged(client: &str, topic: &str, partition: i32, each: &Written, node: i32) -> Result<Line> {
    let (name, _) = value(client, each.seq);
    Ok(Line::Ack {
        client: client.to_owned(),
        topic: topic.to_owned(),
        seq: each.seq,
        value: name,
        partition,
        offset: i64::try_from(each.offset)?,
        node,
        sent_ms: now_ms(),
        t_ms: now_ms(),
    })
}

/// Plans one partition. Its values count on from `seq`.
fn past(client: &str, partition: i32, seq: u64) -> Result<Past> {
    let mut past = Past { batches: Vec::new(), written: Vec::new(), end: start(partition) };
    let mut seq = seq;
    let mut sequence = 0;
    for number in 0..BATCHES {
        let epoch = EPOCHS.get(number * EPOCHS.len() / BATCHES).copied().unwrap_or(EPOCH_NOW);
        past.end += if number % 3 == 1 { HOLE } else { 0 };
        let transactional = number % 4 == 3;
        let mut spec = BatchSpec {
            base_offset: Offset(past.end),
            leader_epoch: LogEpoch(epoch),
            ..BatchSpec::default()
        };
        if transactional {
            (spec.transactional, spec.producer_epoch, spec.base_sequence) = (true, 0, sequence);
            spec.producer_id = 4_000 + i64::from(partition);
            sequence += i32::try_from(BATCH_VALUES)?;
        }
        let values: Vec<_> = (seq..seq + BATCH_VALUES).map(|seq| value(client, seq).1).collect();
        past.batches.push(spec.encode(&records(&values)?)?);
        past.written.extend((0..BATCH_VALUES).map(|at| Written { seq: seq + at, offset: past.end + at }));
        (seq, past.end) = (seq + BATCH_VALUES, past.end + BATCH_VALUES);
        if transactional {
            past.batches.push(marker(&spec, past.end)?);
            past.end += 1;
        }
    }
    Ok(past)
}

fn start(partition: i32) -> u64 {
    START + 100 * u64::from(partition.unsigned_abs())
}

fn records(values: &[Vec<u8>]) -> Result<Vec<NewRecord<'_>>> {
    let timestamp_ms = i64::try_from(now_ms())?;
    let record = |value| NewRecord { timestamp_ms, value: Some(value), ..NewRecord::default() };
    Ok(values.iter().map(|value| record(value.as_slice())).collect())
}

/// What ends the transaction of a batch.
fn marker(of: &BatchSpec, at: u64) -> Result<VerifiedBatch> {
    let spec = BatchSpec { base_offset: Offset(at), control: true, base_sequence: -1, ..*of };
    let timestamp_ms = i64::try_from(now_ms())?;
    let commit = NewRecord { timestamp_ms, key: Some(COMMIT), value: Some(COMMIT_VALUE), headers: &[] };
    Ok(spec.encode(&[commit])?)
}

/// Creates a topic as the copy of one whose logs begin where the past does.
async fn create(node: &Node, topic: &str, number: u8, partitions: i32) -> Result<()> {
    let partition = |at| MirrorPartition { start: start(at), epoch: EPOCHS[0] };
    let message = CatalogMessage::MirrorTopic {
        name: topic.to_owned(),
        id: [number; 16],
        partitions: (0..partitions).map(partition).collect(),
        configs: BTreeMap::new(),
    };
    change(&node.shards(), &message).await
}

async fn mirror(node: &Node, topic: &str, partition: i32, past: Past) -> Result<()> {
    let log = log_of(node, topic, partition).context("a created partition has a log")?;
    let request = Request::Mirror {
        log,
        batches: past.batches,
        origin: MirrorOrigin::Feed,
        from: Some(Offset(start(partition))),
        confirm: Some(Offset(past.end)),
        start: Some(Offset(start(partition))),
    };
    let reply = node.shards().ask(log.shard(), request).await?;
    let whole = matches!(reply, Reply::Mirrored { confirmed, .. } if confirmed == Offset(past.end));
    if !whole {
        bail!("the past of {topic}-{partition} was not taken whole: {reply:?}");
    }
    Ok(())
}

fn log_of(node: &Node, topic: &str, partition: i32) -> Option<LogId> {
    let catalog = node.kafka().catalog.load();
    Some(catalog.topic(topic)?.partition(partition)?.log)
}

/// The stand-in leads the topic from now on, and it is its own.
async fn lead(shards: &Shards, topic: &str, partitions: i32) -> Result<()> {
    let partition = |partition| PartitionEpoch { partition, epoch: EPOCH_NOW };
    let partitions = (0..partitions).map(partition).collect();
    change(shards, &CatalogMessage::Lead { topic: topic.to_owned(), partitions }).await?;
    change(shards, &CatalogMessage::Adopt { topic: topic.to_owned() }).await
}

async fn change(shards: &Shards, message: &CatalogMessage) -> Result<()> {
    let request = Request::Coordinate { kind: CATALOG, message: message.to_bytes() };
    let Reply::Coordinated(answer) = shards.ask(CATALOG_SHARD, request).await? else {
        bail!("the catalog gave no answer");
    };
    match CatalogReply::from_bytes(&answer) {
        Some(CatalogReply::Done) => Ok(()),
        other => bail!("the catalog refused: {other:?}"),
    }
}
