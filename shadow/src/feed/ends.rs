//! Asking legacy, now, where partitions and groups end: what a handover compares with.

use std::collections::BTreeMap;

use kernel_model::Now;
use translator_kafka::codec::messages::{DescribeGroupsRequest, DescribeGroupsResponse, ListOffsetsResponse};
use translator_kafka::codec::{ApiKey, Request, Str};

use super::topics::{LATEST, list_offsets};
use super::{Fact, Feed, GroupEnd, LinkId, PartitionEnd, Tag, Token};
use crate::offsets::{OFFSETS_TOPIC, partition_of};

/// The replica id of a debugging consumer: asked as one, a leader tells the end of its log instead of its high
/// watermark (Kafka's ListOffsets). A write with acks=1 may lie between the two.
const DEBUGGING_CONSUMER: i32 = -2;

/// Ends that are being asked for.
#[derive(Debug, Default)]
pub(super) struct Asking {
    partitions: BTreeMap<(String, i32), PartitionEnd>,
    /// Partition of the offsets' topic and its end, for each group.
    groups: BTreeMap<String, (i32, GroupEnd)>,
    outstanding: usize,
}

impl Feed {
    /// Sends all questions of one order. It fails as a whole, and is asked again as a whole.
    pub(super) fn read_ends(
        &mut self,
        now: Now,
        token: Token,
        partitions: &[(String, i32)],
        groups: &[String],
    ) {
        let count = self.offsets.partition_count();
        let mut asking = Asking::default();
        let mut by_leader: BTreeMap<(i32, &str), Vec<i32>> = BTreeMap::new();
        let mut described: BTreeMap<i32, Vec<Str>> = BTreeMap::new();
        for (topic, partition) in partitions {
            let Some((leader, end)) = self.known_end(topic, *partition) else {
                return self.ends_failed(token, format!("{topic}/{partition} has no leader"));
            };
            asking.partitions.insert((topic.clone(), *partition), end);
            by_leader.entry((leader, topic)).or_default().push(*partition);
        }
        for group in groups {
            let partition = partition_of(group, count);
            let Some(leader) = self.offsets.leader(partition) else {
                return self.ends_failed(token, format!("the offsets of {group} have no leader"));
            };
            asking.groups.insert(group.clone(), (partition, GroupEnd::default()));
            described.entry(leader).or_default().push(Str::from(group.as_str()));
            let partitions = by_leader.entry((leader, OFFSETS_TOPIC)).or_default();
            if !partitions.contains(&partition) {
                partitions.push(partition);
            }
        }
        let mut sent = true;
        for ((leader, topic), partitions) in by_leader {
            let mut request = list_offsets(topic, &partitions, LATEST);
            sent &=
                self.ask(now, leader, ApiKey::ListOffsets, &request, Tag::LogEnds(token, false), &mut asking);
            if topic != OFFSETS_TOPIC {
                request.replica_id = DEBUGGING_CONSUMER;
                sent &= self.ask(
                    now,
                    leader,
                    ApiKey::ListOffsets,
                    &request,
                    Tag::LogEnds(token, true),
                    &mut asking,
                );
            }
        }
        for (leader, groups) in described {
            let request = DescribeGroupsRequest { groups, ..Default::default() };
            sent &= self.ask(now, leader, ApiKey::DescribeGroups, &request, Tag::Groups(token), &mut asking);
        }
        if sent {
            self.asking.insert(token, asking);
            self.ends_complete(token);
        } else {
            self.ends_failed(token, "a broker of legacy cannot be reached".to_owned());
        }
    }

    fn ask<R: Request>(
        &mut self,
        now: Now,
        node: i32,
        api: ApiKey,
        request: &R,
        tag: Tag,
        asking: &mut Asking,
    ) -> bool {
        asking.outstanding += 1;
        self.call(now, LinkId::Questions(node), api, request, tag)
    }

    fn known_end(&self, topic: &str, partition: i32) -> Option<(i32, PartitionEnd)> {
        let legacy = self.view.as_ref()?.topics.get(topic)?;
        let (leader, epoch) = *legacy.partitions.get(&partition)?;
        Some((leader, PartitionEnd { legacy_epoch: epoch, topic_id: legacy.id, ..Default::default() }))
    }

    pub(super) fn see_log_ends(&mut self, token: Token, log_ends: bool, answer: &ListOffsetsResponse) {
        let Some(asking) = self.asking.get_mut(&token) else { return };
        asking.outstanding = asking.outstanding.saturating_sub(1);
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let (0, Ok(end)) = (partition.error_code, u64::try_from(partition.offset)) else {
                    let reason = format!("{}/{} has another leader", topic.name, partition.partition_index);
                    return self.ends_failed(token, reason);
                };
                let key = (topic.name.as_str().to_owned(), partition.partition_index);
                if let Some(known) = asking.partitions.get_mut(&key) {
                    known.legacy_epoch = known.legacy_epoch.max(partition.leader_epoch);
                    *(if log_ends { &mut known.end } else { &mut known.high_watermark }) = end;
                }
                let of_groups = topic.name == *OFFSETS_TOPIC;
                for (held_in, group) in asking.groups.values_mut().filter(|_| of_groups) {
                    if *held_in == partition.partition_index {
                        group.end = end;
                    }
                }
            }
        }
        self.ends_complete(token);
    }

    pub(super) fn see_groups(&mut self, token: Token, answer: &DescribeGroupsResponse) {
        let Some(asking) = self.asking.get_mut(&token) else { return };
        asking.outstanding = asking.outstanding.saturating_sub(1);
        for described in &answer.groups {
            if described.error_code != 0 && described.group_state != *"Dead" {
                let reason = format!("{} has another coordinator", described.group_id);
                return self.ends_failed(token, reason);
            }
            if let Some((_, group)) = asking.groups.get_mut(described.group_id.as_str()) {
                group.consumers = self.offsets.consumers(&described.group_id);
                group.state = described.group_state.as_str().to_owned();
                group.members =
                    described.members.iter().map(|member| member.member_id.as_str().to_owned()).collect();
            }
        }
        self.ends_complete(token);
    }

    fn ends_complete(&mut self, token: Token) {
        if self.asking.get(&token).is_none_or(|asking| asking.outstanding > 0) {
            return;
        }
        if let Some(mut asking) = self.asking.remove(&token) {
            for ((topic, partition), end) in &mut asking.partitions {
                end.epoch = self.epochs.virtual_now(topic, *partition, end.legacy_epoch);
            }
            let groups = asking.groups.into_iter().map(|(group, (_, end))| (group, end)).collect();
            self.facts.push_back(Fact::Ends { token, partitions: asking.partitions, groups });
        }
    }

    fn ends_failed(&mut self, token: Token, reason: String) {
        self.asking.remove(&token);
        self.facts.push_back(Fact::EndsFailed { token, reason });
    }

    /// A connection broke: whatever was asked is asked again by whoever wants it.
    pub(super) fn fail_asking(&mut self, reason: &str) {
        for token in self.asking.keys().copied().collect::<Vec<_>>() {
            self.ends_failed(token, reason.to_owned());
        }
    }
}
