//! A producer: spreads its values over partitions, follows leaders, and repeats the same bytes until they are
//! acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, ProduceResponse};
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::batch::{self, Identity};
use super::cluster::{BACKOFF, Cluster, Hint, Leader, topic_name};
use super::connection::WireError;
use super::outbox::{Batch, Lane, Packing, Pending};
use super::voice::{Voice, told_to_stop};
use crate::demo::line::{Line, now_ms};
use crate::demo::spec::ProduceSpec;

/// How often values are made.
const TICK: Duration = Duration::from_millis(5);
/// Values that may be unacknowledged before no more are made (`buffer.memory` of stock clients).
const OPEN_MAX: usize = 20_000;
/// How long a value may take from first attempt to acknowledgement (`delivery.timeout.ms` of stock clients).
const DELIVERY_WAIT: Duration = Duration::from_secs(120);
/// Least time between two looks at the metadata.
const REFRESH_GAP: Duration = Duration::from_millis(50);
/// How long the cluster may take to show the topics.
const START_WAIT: Duration = Duration::from_secs(60);

/// What came of one request.
struct Answered {
    node: i32,
    /// Lane and batch of everything that was in it.
    batches: Vec<(usize, u64)>,
    outcome: Result<ProduceResponse, WireError>,
    at_ms: u64,
}

struct Producer {
    spec: ProduceSpec,
    cluster: Cluster,
    lanes: Vec<Lane>,
    packing: Packing,
    ids: u64,
    made: u64,
    turn: usize,
    /// Requests on their way, by node.
    flying: BTreeMap<i32, usize>,
    answers: mpsc::Sender<Answered>,
    stale: bool,
    refresh_after: Instant,
    voice: Voice,
}

/// Writes until it has written `spec.records`, or standard input ends and everything is acknowledged.
pub(crate) async fn run(spec: ProduceSpec) -> anyhow::Result<()> {
    let mut cluster = Cluster::new(&spec.client, spec.bootstrap.clone(), spec.topics.clone());
    cluster.settle(START_WAIT).await?;
    let identity = if spec.idempotent { introduce(&mut cluster).await? } else { Identity::NONE };
    let packing =
        Packing { client: spec.client.clone(), identity, codec: spec.codec, flying_max: spec.in_flight_max };
    let lanes =
        cluster.partitions().into_iter().map(|(topic, partition)| Lane::new(topic, partition)).collect();
    let (answers, arriving) = mpsc::channel(1024);
    let producer = Producer {
        spec,
        cluster,
        lanes,
        packing,
        ids: 0,
        made: 0,
        turn: 0,
        flying: BTreeMap::new(),
        answers,
        stale: false,
        refresh_after: Instant::now(),
        voice: Voice::new(),
    };
    producer.go(arriving).await
}

/// Asks for a producer id until it comes.
async fn introduce(cluster: &mut Cluster) -> anyhow::Result<Identity> {
    let until = Instant::now() + START_WAIT;
    let request =
        InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
    loop {
        let answer = match cluster.any().await {
            Ok(connection) => connection.call(&request).await,
            Err(error) => Err(error),
        };
        let trouble = match answer {
            Ok(answer) if answer.error_code == 0 => {
                return Ok(Identity { id: answer.producer_id.0, epoch: answer.producer_epoch });
            }
            Ok(answer) => match ResponseError::try_from_code(answer.error_code) {
                Some(error) if error.is_retriable() => format!("{error:?}"),
                error => anyhow::bail!("InitProducerId: {error:?}"),
            },
            Err(error) if error.retriable() => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        anyhow::ensure!(Instant::now() < until, "InitProducerId: {trouble}");
        tokio::time::sleep(BACKOFF).await;
    }
}

impl Producer {
    async fn go(mut self, mut arriving: mpsc::Receiver<Answered>) -> anyhow::Result<()> {
        self.say_start();
        let began = Instant::now();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stopping = false;
        let stop = told_to_stop();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                Some(answered) = arriving.recv() => self.take(answered),
                now = tick.tick() => if !stopping { self.make(now.saturating_duration_since(began)) },
                () = &mut stop, if !stopping => stopping = true,
            }
            while let Ok(answered) = arriving.try_recv() {
                self.take(answered);
            }
            stopping |= self.spec.records > 0 && self.made >= self.spec.records;
            self.send_due().await?;
            self.voice.flush();
            if stopping && self.lanes.iter().all(|lane| lane.open() == 0) {
                break;
            }
        }
        let (role, client) = ("produce".to_owned(), self.spec.client.clone());
        self.voice.say(&Line::Done { role, client, member: String::new(), sent: self.made });
        self.voice.flush();
        Ok(())
    }

    fn say_start(&mut self) {
        self.voice.say(&Line::Start {
            role: "produce".to_owned(),
            client: self.spec.client.clone(),
            member: String::new(),
            group: None,
            acks: if self.spec.acks_all { "all" } else { "1" }.to_owned(),
            idempotent: self.spec.idempotent,
            first: 0,
        });
    }

    /// Makes the values that are due, all for one partition: the next one has its turn with the next tick.
    fn make(&mut self, elapsed: Duration) {
        let open: usize = self.lanes.iter().map(Lane::open).sum();
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let mut due = micros.saturating_mul(u64::from(self.spec.rate)) / 1_000_000;
        if self.spec.records > 0 {
            due = due.min(self.spec.records);
        }
        // After a pause the values that were not made are made up for, but not faster than twice the rate.
        let burst = u64::from(self.spec.rate) / 100 + 1;
        let count = due.saturating_sub(self.made).min(burst);
        if count == 0 || open >= OPEN_MAX || self.lanes.is_empty() {
            return;
        }
        self.turn = (self.turn + 1) % self.lanes.len();
        let sent_ms = now_ms();
        let Some(lane) = self.lanes.get_mut(self.turn) else { return };
        for _ in 0..count {
            lane.push(Pending { seq: self.made, sent_ms });
            self.made += 1;
        }
    }

    /// Sends what may be sent: one request at a time for each node, one batch of each of its partitions.
    async fn send_due(&mut self) -> anyhow::Result<()> {
        if self.stale && Instant::now() >= self.refresh_after {
            self.stale = false;
            self.refresh_after = Instant::now() + REFRESH_GAP;
            if let Err(error) = self.cluster.refresh().await {
                self.stale = true;
                self.voice.note(&self.spec.client, &format!("metadata: {error}"));
            }
        }
        loop {
            let requests = self.gather()?;
            if requests.is_empty() {
                return Ok(());
            }
            for (node, batches) in requests {
                self.send(node, batches).await;
            }
        }
    }

    fn gather(&mut self) -> anyhow::Result<BTreeMap<i32, Vec<(usize, Batch)>>> {
        let now = Instant::now();
        let mut requests: BTreeMap<i32, Vec<(usize, Batch)>> = BTreeMap::new();
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let leader = self.cluster.leader(&lane.topic, lane.partition);
            let Some(Leader { node, .. }) = leader else {
                self.stale = true;
                continue;
            };
            let room = self.flying.get(&node).copied().unwrap_or(0) < self.spec.in_flight_max;
            if room && let Some(batch) = lane.next(now, &mut self.ids, &self.packing)? {
                requests.entry(node).or_default().push((index, batch));
            }
            let late = lane.oldest(now);
            anyhow::ensure!(
                late < DELIVERY_WAIT,
                "{}-{}: not acknowledged in time",
                lane.topic,
                lane.partition
            );
        }
        Ok(requests)
    }

    async fn send(&mut self, node: i32, batches: Vec<(usize, Batch)>) {
        let ids = batches.iter().map(|(lane, batch)| (*lane, batch.id)).collect();
        let request = self.request(&batches);
        *self.flying.entry(node).or_default() += 1;
        let connection = self.cluster.connection(node).await;
        let answers = self.answers.clone();
        tokio::spawn(async move {
            let outcome = match connection {
                Ok(connection) => connection.call(&request).await,
                Err(error) => Err(error),
            };
            // The producer outlives its requests unless the process ends.
            let _ended = answers.send(Answered { node, batches: ids, outcome, at_ms: now_ms() }).await;
        });
    }

    fn request(&self, batches: &[(usize, Batch)]) -> ProduceRequest {
        let mut topics: BTreeMap<&str, Vec<PartitionProduceData>> = BTreeMap::new();
        for (lane, batch) in batches {
            let Some(lane) = self.lanes.get(*lane) else { continue };
            let data = PartitionProduceData::default()
                .with_index(lane.partition)
                .with_records(Some(batch.bytes.clone()));
            topics.entry(&lane.topic).or_default().push(data);
        }
        let topic =
            |(name, data)| TopicProduceData::default().with_name(topic_name(name)).with_partition_data(data);
        ProduceRequest::default()
            .with_acks(if self.spec.acks_all { -1 } else { 1 })
            .with_timeout_ms(30_000)
            .with_topic_data(topics.into_iter().map(topic).collect())
    }

    fn take(&mut self, answered: Answered) {
        if let Some(flying) = self.flying.get_mut(&answered.node) {
            *flying = flying.saturating_sub(1);
        }
        let answer = match answered.outcome {
            Ok(answer) => answer,
            Err(error) => {
                if !error.retriable() {
                    self.voice.error(&self.spec.client, &error.to_string());
                }
                self.voice.note(&self.spec.client, &format!("node {}: {error}", answered.node));
                return self.again(&answered.batches, Some(Instant::now() + BACKOFF));
            }
        };
        let mut unanswered = answered.batches;
        for topic in &answer.responses {
            for partition in &topic.partition_responses {
                let named = |(lane, _): &(usize, u64)| {
                    self.lanes.get(*lane).is_some_and(|lane| {
                        lane.topic == topic.name.as_str() && lane.partition == partition.index
                    })
                };
                let Some(index) = unanswered.iter().position(named) else { continue };
                let (lane, id) = unanswered.swap_remove(index);
                let hint = hint_of(&answer, partition);
                self.settle(lane, id, partition, hint, (answered.node, answered.at_ms));
            }
        }
        if !unanswered.is_empty() {
            self.voice.error(&self.spec.client, "an answer leaves out a partition that was asked for");
            self.again(&unanswered, Some(Instant::now() + BACKOFF));
        }
    }

    fn settle(
        &mut self,
        index: usize,
        id: u64,
        answer: &PartitionProduceResponse,
        hint: Option<Hint>,
        by: (i32, u64),
    ) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        let error = match ResponseError::try_from_code(answer.error_code) {
            None => {
                let batch = lane.finish(id);
                return self.acknowledge(index, batch, answer.base_offset, by);
            }
            // The broker has it, but not at hand any more where.
            Some(ResponseError::DuplicateSequenceNumber) => {
                let batch = lane.finish(id);
                return self.acknowledge(index, batch, -1, by);
            }
            Some(error) => error,
        };
        let echo = error == ResponseError::OutOfOrderSequenceNumber && lane.has_older(id);
        if !error.is_retriable() && !echo {
            let batch = lane.finish(id);
            return self.give_up(batch, &error);
        }
        let (topic, partition) = (lane.topic.clone(), lane.partition);
        let news = hint.is_some_and(|hint| self.cluster.follow(&topic, partition, &hint));
        self.voice.note(&self.spec.client, &format!("{topic}-{partition} at node {}: {error:?}", by.0));
        let wait = (!news).then(|| Instant::now() + BACKOFF);
        self.stale |= !news && !echo;
        if let Some(lane) = self.lanes.get_mut(index) {
            lane.again(id, wait);
        }
    }

    fn again(&mut self, batches: &[(usize, u64)], not_before: Option<Instant>) {
        self.stale = true;
        for (lane, id) in batches {
            if let Some(lane) = self.lanes.get_mut(*lane) {
                lane.again(*id, not_before);
            }
        }
    }

    fn acknowledge(&mut self, lane: usize, batch: Option<Batch>, base: i64, (node, t_ms): (i32, u64)) {
        let (Some(lane), Some(batch)) = (self.lanes.get(lane), batch) else { return };
        for (index, record) in (0_i64..).zip(&batch.records) {
            self.voice.say(&Line::Ack {
                client: self.spec.client.clone(),
                topic: lane.topic.clone(),
                seq: record.seq,
                value: batch::value_name(&self.spec.client, record.seq),
                partition: lane.partition,
                offset: if base < 0 { -1 } else { base + index },
                node,
                sent_ms: record.sent_ms,
                t_ms,
            });
        }
    }

    fn give_up(&mut self, batch: Option<Batch>, error: &ResponseError) {
        self.voice.error(&self.spec.client, &format!("produce: {error:?}"));
        for record in batch.iter().flat_map(|batch| &batch.records) {
            self.voice.say(&Line::Fail {
                client: self.spec.client.clone(),
                value: batch::value_name(&self.spec.client, record.seq),
                definite: false,
                error: format!("{error:?}"),
            });
        }
    }
}

fn hint_of(answer: &ProduceResponse, partition: &PartitionProduceResponse) -> Option<Hint> {
    let node = partition.current_leader.leader_id.0;
    let endpoint = answer.node_endpoints.iter().find(|endpoint| endpoint.node_id.0 == node);
    (node >= 0).then(|| Hint {
        leader: Leader { node, epoch: partition.current_leader.leader_epoch },
        address: endpoint.map(|endpoint| format!("{}:{}", endpoint.host.as_str(), endpoint.port)),
    })
}
