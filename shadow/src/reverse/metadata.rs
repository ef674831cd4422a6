//! Which broker leads what, and the connections to those that are needed.

use std::collections::BTreeSet;
use std::time::Duration;

use kernel_model::Now;
use translator_kafka::codec::messages::metadata_request::MetadataRequestTopic;
use translator_kafka::codec::messages::{MetadataRequest, MetadataResponse};
use translator_kafka::codec::{ApiKey, Str, Uuid};
use translator_kafka::errors::ErrorCode;

use super::partition::{LATE_WRITE, REST};
use super::produce::ANY;
use super::{ClosedReason, Connection, Key, ReverseFeed, Tag};
use crate::feed::{LinkAction, LinkId};
use crate::link::Link;
use crate::view::{ClusterView, LegacyTopic};

/// How often the metadata is read.
const INTERVAL: Duration = Duration::from_secs(5);
/// Shortest time between two reads of it.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// How long legacy names no topic until it counts as deleted: a broker that has just started may not know it yet.
const MISSING_MAX: Duration = Duration::from_secs(10);

impl ReverseFeed {
    /// The metadata is to be read again soon.
    pub(super) fn refresh(&mut self, now: Now) {
        self.metadata_due = self.metadata_due.min(now.deadline(INTERVAL_MIN));
    }

    /// Topics that something is brought of.
    fn topics(&self) -> BTreeSet<String> {
        let open = self.partitions.iter().filter(|(_, partition)| !partition.is_closed());
        open.map(|((topic, _), _)| topic.clone()).collect()
    }

    pub(super) fn open_links(&mut self, now: Now) {
        self.resting.retain(|_, until| *until > now.elapsed);
        let mut wanted = Vec::new();
        let leaders: BTreeSet<i32> =
            self.partitions.values().filter(|each| !each.is_closed()).map(|each| each.leader).collect();
        if !leaders.is_empty() && !self.stopped {
            let turn = self.bootstrap_turn.checked_rem(self.config.bootstrap.len()).unwrap_or(0);
            let bootstrap = self.config.bootstrap.get(turn).cloned();
            wanted.extend(bootstrap.map(|address| (LinkId::Bootstrap, address)));
            for (id, address) in self.view.iter().flat_map(|view| &view.nodes) {
                if leaders.contains(id) {
                    wanted.push((LinkId::Node(*id), address.clone()));
                    wanted.push((LinkId::Questions(*id), address.clone()));
                }
            }
        }
        let unwanted: Vec<LinkId> = self
            .connections
            .keys()
            .filter(|id| !wanted.iter().any(|(wanted, _)| wanted == *id))
            .copied()
            .collect();
        for id in unwanted {
            self.actions.push_back((id, LinkAction::Close));
            self.drop_link(now, id);
        }
        for (id, address) in wanted {
            if !self.connections.contains_key(&id) && !self.resting.contains_key(&id) {
                let link = Link::new(self.config.credentials.clone());
                self.connections.insert(id, Connection { link, busy: false });
                self.actions.push_back((id, LinkAction::Connect(address)));
            }
        }
    }

    pub(super) fn ask_metadata(&mut self, now: Now) {
        if self.metadata_asked || self.metadata_due > now.elapsed {
            return;
        }
        let topics = self.topics();
        if topics.is_empty() {
            return;
        }
        let topic = |name: &String| MetadataRequestTopic {
            topic_id: Uuid::default(),
            name: Some(Str::from(name.as_str())),
            ..Default::default()
        };
        let request = MetadataRequest {
            topics: Some(topics.iter().map(topic).collect()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        self.metadata_asked =
            self.call(now, LinkId::Bootstrap, (ApiKey::Metadata, ANY), Tag::Metadata, Duration::ZERO, |_| {
                request
            });
    }

    pub(super) fn see_metadata(&mut self, now: Now, answer: &MetadataResponse) {
        self.metadata_asked = false;
        self.metadata_due = now.deadline(INTERVAL);
        let topics = self.topics();
        let Some(mut view) = ClusterView::of(answer, |name| topics.contains(name)) else {
            return self.refresh(now);
        };
        self.see_missing(now, answer, &topics);
        for topic in &topics {
            match view.topics.get(topic) {
                Some(legacy) => self.see_leaders(now, topic, legacy),
                // No word of a topic this time: what was known of it stays.
                None => {
                    let known = self.view.as_mut().and_then(|known| known.topics.remove(topic));
                    view.topics.extend(known.map(|known| (topic.clone(), known)));
                }
            }
        }
        self.view = Some(view);
    }

    fn see_leaders(&mut self, now: Now, topic: &str, legacy: &LegacyTopic) {
        let keys: Vec<Key> = self.partitions.keys().filter(|(of, _)| of == topic).cloned().collect();
        let mut unled = false;
        for key in keys {
            let Some(partition) = self.partitions.get_mut(&key) else { continue };
            if partition.topic_id != Uuid::default()
                && legacy.id != Uuid::default()
                && legacy.id != partition.topic_id
            {
                partition.close(ClosedReason::Recreated);
                continue;
            }
            let (leader, epoch) = legacy.partitions.get(&key.1).copied().unwrap_or((-1, -1));
            unled |= leader < 0;
            if (leader, epoch) == (partition.leader, partition.leader_epoch) || epoch < partition.leader_epoch
            {
                continue;
            }
            let moved = partition.leader >= 0;
            (partition.leader, partition.leader_epoch) = (leader, epoch);
            if moved {
                // A new leader may hold less than the old one had taken.
                let rest = if partition.in_flight.is_some() { LATE_WRITE } else { REST };
                partition.settle(now, rest);
            }
        }
        if unled {
            self.refresh(now);
        }
    }

    /// A topic that legacy does not know for long is gone.
    fn see_missing(&mut self, now: Now, answer: &MetadataResponse, topics: &BTreeSet<String>) {
        let unknown: BTreeSet<&str> = answer
            .topics
            .iter()
            .filter(|topic| topic.error_code == ErrorCode::UnknownTopicOrPartition.code())
            .filter_map(|topic| topic.name.as_deref())
            .collect();
        self.missing.retain(|name, _| unknown.contains(name.as_str()));
        for name in topics.iter().filter(|name| unknown.contains(name.as_str())) {
            let since = *self.missing.entry(name.clone()).or_insert(now.elapsed);
            let gone = now.elapsed.saturating_sub(since) >= MISSING_MAX;
            for ((topic, _), partition) in &mut self.partitions {
                if topic == name && gone {
                    partition.close(ClosedReason::Deleted);
                } else if topic == name {
                    partition.trouble = Some("legacy does not know the topic".to_owned());
                }
            }
        }
        if !self.missing.is_empty() {
            self.metadata_due = now.deadline(Duration::from_secs(1));
        }
    }
}
