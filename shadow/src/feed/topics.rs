//! New topics: where their partitions begin, how they are configured, and their copies in the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel_model::{KernelError, Now, Reply};
use translator_kafka::codec::messages::describe_configs_request::DescribeConfigsResource;
use translator_kafka::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use translator_kafka::codec::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, ListOffsetsRequest, ListOffsetsResponse,
};
use translator_kafka::codec::{ApiKey, Str};
use translator_kafka::coordinator::message::{CatalogMessage, CatalogReply, MirrorPartition};
use translator_kafka::placement::CATALOG;

use super::{CATALOG_AT, Fact, Feed, LinkAction, LinkId, Mode, Pending, Tag, catalog_reply};
use crate::follower::{Follower, StopReason};
use crate::view::{ClusterView, LegacyTopic};

/// Special timestamps of ListOffsets.
pub(super) const EARLIEST: i64 = -2;
pub(super) const LATEST: i64 = -1;
/// DescribeConfigs: a topic; a value that was set for this topic.
const TOPIC_RESOURCE: i8 = 2;
const SET_FOR_TOPIC: i8 = 1;
/// How often configurations are read again.
const CONFIGS_INTERVAL: Duration = Duration::from_secs(15);
/// How long a refused creation rests.
const RETRY: Duration = Duration::from_millis(500);
/// How long metadata names no topic until it counts as deleted.
const MISSING_MAX: Duration = Duration::from_secs(3);

/// A topic whose copy is being made.
#[derive(Debug, Default)]
pub(super) struct TopicSetup {
    legacy: LegacyTopic,
    starts: BTreeMap<i32, u64>,
    starts_asked: bool,
    created: bool,
    rests_until: Duration,
}

impl TopicSetup {
    /// A connection broke: ask again.
    pub(super) fn ask_again(&mut self) {
        self.starts_asked = false;
    }
}

impl Feed {
    /// Compares a new view with what is followed.
    pub(super) fn see_topics(&mut self, now: Now, view: &ClusterView) {
        for (name, legacy) in &view.topics {
            if name == super::OFFSETS_TOPIC || !(self.config.mirrored)(name) || self.held.contains(name) {
                continue;
            }
            self.missing.remove(name);
            let Some(count) = legacy.partition_count() else { continue };
            if self.is_another(name, legacy) {
                self.stop_topic(now, name, &StopReason::Recreated);
                continue;
            }
            let followed = self.followers.keys().filter(|(topic, _)| topic == name).count();
            if i32::try_from(followed) != Ok(count) && !self.setups.contains_key(name) {
                self.setups.insert(name.clone(), TopicSetup { legacy: legacy.clone(), ..Default::default() });
            }
            for (&partition, &(leader, epoch)) in &legacy.partitions {
                if let Some(follower) = self.followers.get_mut(&(name.clone(), partition)) {
                    follower.leader = leader;
                    follower.leader_epoch = epoch;
                }
            }
        }
        self.see_missing(now, view);
        if self.configs_due <= now.elapsed {
            self.ask_configs(
                now,
                view.topics.keys().filter(|name| *name != super::OFFSETS_TOPIC).cloned().collect(),
            );
        }
    }

    /// Whether what is followed under this name was another topic of legacy: by the copy itself, since a topic may
    /// have been gone for a while in between.
    fn is_another(&self, name: &str, legacy: &LegacyTopic) -> bool {
        let known = self.view.as_ref().and_then(|view| view.topics.get(name)).map(|known| known.id);
        let catalog = self.catalog.load();
        let copied = catalog.topic(name).filter(|copy| copy.legacy_created).map(|copy| copy.id);
        let is_followed = self.followers.keys().any(|(topic, _)| topic == name);
        is_followed && (known.is_some_and(|id| id != legacy.id) || copied.is_some_and(|id| id != legacy.id))
    }

    /// A topic that legacy no longer names was deleted; once may be an answer of a node that has just begun.
    fn see_missing(&mut self, now: Now, view: &ClusterView) {
        let followed: BTreeSet<String> = self.followers.keys().map(|(topic, _)| topic.clone()).collect();
        for topic in followed {
            if view.topics.contains_key(&topic) {
                continue;
            }
            match self.missing.get(&topic) {
                None => {
                    self.missing.insert(topic.clone(), now.elapsed);
                    self.abandon_fetches(now, &topic);
                }
                Some(since) if now.elapsed >= *since + MISSING_MAX => {
                    self.stop_topic(now, &topic, &StopReason::Deleted);
                }
                Some(_) => {}
            }
        }
    }

    /// Kafka never answers a fetch that waits while one of its topics is deleted (4.x, NullPointerException in
    /// `FetchResponse.matchingTopic`): the connection is closed, or every partition of that leader would wait for
    /// its timeout.
    fn abandon_fetches(&mut self, now: Now, name: &str) {
        let of_topic = self.followers.iter().filter(|((topic, _), _)| topic == name);
        let leaders: BTreeSet<i32> = of_topic.map(|(_, follower)| follower.leader).collect();
        for id in leaders.into_iter().map(LinkId::Node) {
            if self.connections.get(&id).is_some_and(|connection| connection.fetching) {
                self.actions.push_back((id, LinkAction::Close));
                self.drop_link(now, id);
            }
        }
    }

    fn stop_topic(&mut self, now: Now, name: &str, reason: &StopReason) {
        self.setups.remove(name);
        let stopped = |follower: &Follower| matches!(follower.state, crate::FollowerState::Stopped(_));
        if self.followers.iter().any(|((topic, _), follower)| topic == name && !stopped(follower)) {
            self.abandon_fetches(now, name);
        }
        for ((topic, _), follower) in &mut self.followers {
            if topic == name && !matches!(follower.state, crate::FollowerState::Stopped(_)) {
                follower.stop(reason.clone());
            }
        }
    }

    fn ask_configs(&mut self, now: Now, topics: Vec<String>) {
        self.configs_due = now.deadline(CONFIGS_INTERVAL);
        let resource = |name: &String| DescribeConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: name.as_str().into(),
            configuration_keys: None,
            ..Default::default()
        };
        let request =
            DescribeConfigsRequest { resources: topics.iter().map(resource).collect(), ..Default::default() };
        self.call(now, LinkId::Bootstrap, ApiKey::DescribeConfigs, &request, Tag::Configs);
    }

    pub(super) fn see_configs(&mut self, _now: Now, answer: &DescribeConfigsResponse) {
        for result in &answer.results {
            if result.error_code != 0 {
                continue;
            }
            let set = result.configs.iter().filter(|config| config.config_source == SET_FOR_TOPIC);
            let configs: BTreeMap<String, String> = set
                .map(|config| {
                    (config.name.as_str().to_owned(), config.value.as_deref().unwrap_or_default().to_owned())
                })
                .collect();
            let topic = result.resource_name.as_str().to_owned();
            if self.configs.get(&topic) == Some(&configs) {
                continue;
            }
            let changed = self.configs.insert(topic.clone(), configs.clone()).is_some();
            self.facts.push_back(Fact::Configured { topic: topic.clone(), configs });
            if changed
                && !self.held.contains(&topic)
                && let Some(legacy) = self.view.as_ref().and_then(|view| view.topics.get(&topic))
            {
                // The copy gets the new configuration with the next MirrorTopic.
                let setup = TopicSetup { legacy: legacy.clone(), ..Default::default() };
                self.setups.entry(topic).or_insert(setup);
            }
        }
    }

    /// Brings each new topic one step on.
    pub(super) fn set_up_topics(&mut self, now: Now) {
        let names: Vec<String> = self.setups.keys().cloned().collect();
        for name in names {
            let Some(setup) = self.setups.get(&name).filter(|setup| setup.rests_until <= now.elapsed) else {
                continue;
            };
            let count = setup.legacy.partitions.len();
            if setup.starts.len() < count {
                if !setup.starts_asked {
                    self.ask_starts(now, &name);
                }
            } else if let Some(configs) = self.configs.get(&name).cloned() {
                if !setup.created {
                    self.create_topic(&name, configs);
                }
            } else if self.configs_due > now.deadline(Duration::from_secs(1)) {
                self.ask_configs(now, vec![name]);
                self.configs_due = now.deadline(Duration::from_secs(1));
            }
        }
    }

    fn ask_starts(&mut self, now: Now, name: &str) {
        let Some(setup) = self.setups.get_mut(name) else { return };
        let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for (&partition, &(leader, _)) in &setup.legacy.partitions {
            if !setup.starts.contains_key(&partition) {
                by_leader.entry(leader).or_default().push(partition);
            }
        }
        setup.starts_asked = true;
        for (leader, partitions) in by_leader {
            let request = list_offsets(name, &partitions, EARLIEST);
            let tag = Tag::Starts(name.to_owned());
            if !self.call(now, LinkId::Questions(leader), ApiKey::ListOffsets, &request, tag)
                && let Some(setup) = self.setups.get_mut(name)
            {
                setup.starts_asked = false;
            }
        }
    }

    pub(super) fn see_starts(&mut self, now: Now, topic: &str, answer: &ListOffsetsResponse) {
        let Some(setup) = self.setups.get_mut(topic) else { return };
        let mut failed = false;
        for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
            match (partition.error_code, u64::try_from(partition.offset)) {
                (0, Ok(start)) => {
                    setup.starts.insert(partition.partition_index, start);
                }
                _ => failed = true,
            }
        }
        if failed {
            // Leaders have moved: begin again with the next view.
            self.setups.remove(topic);
            self.refresh(now);
        }
    }

    fn create_topic(&mut self, name: &str, configs: BTreeMap<String, String>) {
        let Some(setup) = self.setups.get_mut(name) else { return };
        setup.created = true;
        // Legacy may begin inside a batch, which the copy holds whole: where its log begins is known with the
        // first batch, not before.
        let epoch = |(&partition, &(_, epoch))| self.epochs.virtual_now(name, partition, epoch);
        let partitions =
            setup.legacy.partitions.iter().map(|each| MirrorPartition { start: 0, epoch: epoch(each) });
        let message = CatalogMessage::MirrorTopic {
            name: name.to_owned(),
            id: setup.legacy.id.0,
            partitions: partitions.collect(),
            configs,
        };
        let request = kernel_model::Request::Coordinate { kind: CATALOG, message: message.to_bytes() };
        self.ask_kernel(CATALOG_AT, request, Pending::CreateTopic(name.to_owned()));
    }

    pub(super) fn topic_created(&mut self, now: Now, topic: &str, reply: Result<Reply, KernelError>) {
        match catalog_reply(reply) {
            CatalogReply::Done => {
                let Some(setup) = self.setups.remove(topic) else { return };
                for (partition, (leader, epoch)) in setup.legacy.partitions {
                    let key = (topic.to_owned(), partition);
                    let mode = self.modes.get(&key).copied();
                    let start = setup.starts.get(&partition).copied().unwrap_or(0);
                    let epochs = self.epochs.of(topic, partition);
                    let follower = self.followers.entry(key);
                    let follower = follower.or_insert_with(|| Follower::new(leader, epoch, epochs));
                    follower.begins_at(start);
                    match mode {
                        Some(Mode::Watch(cut)) => follower.watch(cut),
                        Some(Mode::Rest) => follower.rest(),
                        Some(Mode::Follow) | None => {}
                    }
                }
                self.facts.push_back(Fact::Mirrored { topic: topic.to_owned() });
            }
            CatalogReply::Refused(reason) => {
                let wanted = self.setups.remove(topic).map(|setup| setup.legacy.id);
                let catalog = self.catalog.load();
                let has = catalog.topic(topic).filter(|copy| copy.legacy_created).map(|copy| copy.id);
                let invalid = if wanted.is_some() && has.is_some() && wanted != has {
                    // It was made anew while nobody looked.
                    StopReason::Recreated
                } else {
                    StopReason::Refused(KernelError::Stopped(reason))
                };
                let legacy = self.view.as_ref().and_then(|view| view.topics.get(topic));
                for (partition, (leader, epoch)) in
                    legacy.map(|legacy| legacy.partitions.clone()).into_iter().flatten()
                {
                    let epochs = self.epochs.of(topic, partition);
                    let follower = self.followers.entry((topic.to_owned(), partition));
                    follower.or_insert_with(|| Follower::new(leader, epoch, epochs)).stop(invalid.clone());
                }
            }
            CatalogReply::Failed(_) => {
                if let Some(setup) = self.setups.get_mut(topic) {
                    setup.created = false;
                    setup.rests_until = now.deadline(RETRY);
                }
            }
        }
    }

    /// Asks the kernel where each new copy stands.
    pub(super) fn locate_followers(&mut self, now: Now) {
        let catalog = self.catalog.load();
        let mut asks = Vec::new();
        for ((topic, partition), follower) in &mut self.followers {
            if follower.log().is_none() {
                let found = catalog.topic(topic).and_then(|topic| topic.partition(*partition));
                if let Some(found) = found {
                    follower.locate(found.log);
                }
            }
            if let Some(log) = follower.wants_ends(now) {
                asks.push((log, topic.clone(), *partition));
            }
        }
        for (log, topic, partition) in asks {
            let request = kernel_model::Request::Describe { log };
            self.ask_kernel(log.shard(), request, Pending::Describe((topic, partition), log));
        }
    }
}

/// A ListOffsets request for some partitions of one topic.
pub(super) fn list_offsets(topic: &str, partitions: &[i32], timestamp: i64) -> ListOffsetsRequest {
    let partitions = partitions.iter().map(|&partition_index| ListOffsetsPartition {
        partition_index,
        current_leader_epoch: -1,
        timestamp,
        ..Default::default()
    });
    ListOffsetsRequest {
        replica_id: -1,
        isolation_level: 0,
        topics: vec![ListOffsetsTopic {
            name: Str::from(topic),
            partitions: partitions.collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}
