//! Markers of transactions: no producer can write them, so legacy's leaders are told to (WriteTxnMarkers), as its own
//! coordinators do.
//!
//! ```text
//!   marker next ─► WriteTxnMarkers ─► taken: at the position, since nobody else writes there
//!                    │  ▲
//!                    │  └─ DescribeProducers: under which coordinator legacy has seen the producer
//!                    └─ its coordinator was a newer one: legacy takes nothing from an older
//! ```
//!
//! The answer names no offset. That a marker lies where it has to is seen with the answer to the next batch, or when
//! legacy's end is looked at; until then it does not count as compared.

use std::collections::BTreeMap;

use kernel_model::Now;
use kernel_model::batch::Marker;
use translator_kafka::codec::messages::describe_producers_request::TopicRequest;
use translator_kafka::codec::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use translator_kafka::codec::messages::{
    DescribeProducersRequest, DescribeProducersResponse, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use translator_kafka::codec::{ApiKey, Str};
use translator_kafka::errors::ErrorCode;

use super::partition::{InFlight, REST};
use super::produce::{Verdict, WAIT, verdict};
use super::questions::Question;
use super::{Asked, Key, ReverseFeed, Tag};
use crate::feed::LinkId;

/// The newest version of WriteTxnMarkers in which the producer's epoch may be the one that its batches had.
const MARKERS_UNTIL: i16 = 1;
/// Producers of a partition whose coordinators are remembered.
const COORDINATORS_MAX: usize = 100_000;
/// The coordinator's epoch where legacy has seen no marker of a producer.
const FIRST_COORDINATOR: i32 = 0;

/// A marker's row in a request; what is the same may share it.
type Row = (i64, i16, i32, bool);

impl ReverseFeed {
    /// Has the markers written that are next in these partitions.
    pub(super) fn send_markers(
        &mut self,
        now: Now,
        node: i32,
        sending: &[(Key, InFlight)],
        asked: Vec<Asked>,
    ) -> bool {
        let mut rows: BTreeMap<Row, BTreeMap<&str, Vec<i32>>> = BTreeMap::new();
        for (key, _) in sending {
            if let Some(row) = self.marker_of(key) {
                rows.entry(row).or_default().entry(key.0.as_str()).or_default().push(key.1);
            }
        }
        let markers =
            rows.into_iter().map(|((producer_id, producer_epoch, coordinator_epoch, commit), topics)| {
                let topics = topics.into_iter().map(|(name, partition_indexes)| WritableTxnMarkerTopic {
                    name: Str::from(name),
                    partition_indexes,
                    ..Default::default()
                });
                WritableTxnMarker {
                    producer_id,
                    producer_epoch,
                    coordinator_epoch,
                    transaction_result: commit,
                    topics: topics.collect(),
                    ..Default::default()
                }
            });
        let request = WriteTxnMarkersRequest { markers: markers.collect(), ..Default::default() };
        let how = (ApiKey::WriteTxnMarkers, MARKERS_UNTIL);
        self.call(now, LinkId::Node(node), how, Tag::Markers(asked), WAIT, |_| request)
    }

    fn marker_of(&self, key: &Key) -> Option<Row> {
        let partition = self.partitions.get(key)?;
        let batch = partition.ready.front()?;
        let header = batch.header();
        let coordinator = partition.coordinators.get(&header.producer_id).copied();
        let commit = Marker::of(header, batch.bytes()) == Some(Marker::Commit);
        let epoch = coordinator.unwrap_or(FIRST_COORDINATOR);
        Some((header.producer_id, header.producer_epoch, epoch, commit))
    }

    pub(super) fn see_marked(&mut self, now: Now, asked: &[Asked], answer: &WriteTxnMarkersResponse) {
        let mut codes: BTreeMap<(i64, &str, i32), i16> = BTreeMap::new();
        for marker in &answer.markers {
            for topic in &marker.topics {
                for each in &topic.partitions {
                    let at = (marker.producer_id, topic.name.as_str(), each.partition_index);
                    codes.insert(at, each.error_code);
                }
            }
        }
        let mut refresh = false;
        for each in asked {
            let producer = self.marker_of(&each.key).map(|(producer, ..)| producer);
            let Some(partition) = self.asker(each) else { continue };
            let (Some(sent), Some(producer)) = (partition.in_flight, producer) else { continue };
            let code = codes.get(&(producer, each.key.0.as_str(), each.key.1)).copied();
            match code {
                Some(code) if verdict(code) == Verdict::Taken => partition.marked(now, sent),
                Some(code)
                    if code == ErrorCode::TransactionCoordinatorFenced.code()
                        && !partition.coordinators.contains_key(&producer) =>
                {
                    partition.in_flight = None;
                    partition.generation += 1;
                    partition.asks_coordinators = true;
                }
                Some(code) => {
                    partition.not_taken(now, sent, code);
                    refresh |= verdict(code) == Verdict::Unclear;
                }
                None => {
                    partition.trouble = Some("legacy's answer leaves a marker out".to_owned());
                    partition.settle(now, REST);
                }
            }
        }
        if refresh {
            self.refresh(now);
        }
    }

    /// Under which coordinators legacy has seen the producers of partitions whose marker it did not take for that.
    pub(super) fn ask_coordinators(&mut self, now: Now, node: i32) -> bool {
        let named = self
            .named(node, |partition| (partition.question(now) == Some(Question::Coordinators)).then_some(0));
        if named.is_empty() {
            return false;
        }
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for each in &named {
            topics.entry(&each.asked.key.0).or_default().push(each.asked.key.1);
        }
        let topics = topics.into_iter().map(|(name, partition_indexes)| TopicRequest {
            name: Str::from(name),
            partition_indexes,
            ..Default::default()
        });
        let request = DescribeProducersRequest { topics: topics.collect(), ..Default::default() };
        self.ask_node(now, node, ApiKey::DescribeProducers, named, Tag::Coordinators, |_, _| request)
    }

    pub(super) fn see_coordinators(&mut self, now: Now, asked: &[Asked], answer: &DescribeProducersResponse) {
        let found = answer.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|each| ((topic.name.as_str(), each.partition_index), each))
        });
        let found: BTreeMap<_, _> = found.collect();
        for each in asked {
            let told = found.get(&(each.key.0.as_str(), each.key.1)).copied();
            let Some(partition) = self.asker(each) else { continue };
            partition.asked = None;
            let Some(told) = told.filter(|told| told.error_code == 0) else {
                let code = told.map_or(ErrorCode::UnknownServerError.code(), |told| told.error_code);
                partition.unanswered(now, code);
                continue;
            };
            let known = told.active_producers.iter().filter(|each| each.coordinator_epoch >= 0);
            let known = known.map(|each| (each.producer_id, each.coordinator_epoch));
            partition.coordinators = known.take(COORDINATORS_MAX).collect();
            partition.asks_coordinators = false;
        }
    }
}
