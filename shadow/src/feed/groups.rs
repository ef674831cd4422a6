//! Giving a group's offsets back to legacy, and reading what legacy holds of them.
//!
//! Both ask the group's coordinator, which is the leader of the partition of `__consumer_offsets` that holds the group.
//! Nothing is repeated here: whoever ordered it orders it again.
//!
//! ```text
//!   write:  OffsetFetch ─► OffsetDelete of what the kernel has not ─► OffsetCommit of what it has
//! ```

use std::collections::BTreeMap;

use kernel_model::Now;
use translator_kafka::codec::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use translator_kafka::codec::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use translator_kafka::codec::messages::offset_fetch_request::OffsetFetchRequestGroup;
use translator_kafka::codec::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse,
};
use translator_kafka::codec::{ApiKey, Request, Str};

use super::{Fact, Feed, LinkId, Tag, Token};
use crate::link::LinkError;
use crate::offsets::partition_of;

/// The newest version of OffsetCommit and OffsetFetch that names topics; later ones have their ids.
const NAMED_TOPICS_UNTIL: i16 = 9;
/// First version of OffsetFetch that asks for several groups.
const GROUPS_FROM: i16 = 8;
/// First version of OffsetFetch that can ask for everything that a group has committed.
const ALL_TOPICS_FROM: i16 = 2;
/// First version of OffsetCommit whose offsets live as long as the broker says.
const COMMIT_FROM: i16 = 2;

/// An offset as it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffset {
    /// Offset of the next record to read.
    pub offset: i64,
    /// Leader epoch of the record before it, as legacy counts it; −1: none. Not told when offsets are read.
    pub leader_epoch: i32,
    /// Whatever the client put beside it.
    pub metadata: String,
}

/// Offsets of one group by topic and partition.
pub type GroupOffsets = BTreeMap<(String, i32), GroupOffset>;

/// A group whose offsets on legacy are being made those of the kernel.
#[derive(Debug)]
pub(super) struct Rewrite {
    group: String,
    offsets: GroupOffsets,
}

impl Feed {
    /// Makes these the offsets of a group that has no members on legacy: others that it has there are deleted, since a
    /// member that joined there later would go on at them.
    pub(super) fn write_offsets(&mut self, now: Now, token: Token, group: &str, offsets: GroupOffsets) {
        self.rewriting.insert(token, Rewrite { group: group.to_owned(), offsets });
        let sent = self.fetch_offsets(now, group, Tag::OldOffsets(token));
        self.note_asked(token, sent);
    }

    /// What legacy had of a group before its offsets are written.
    pub(super) fn see_old(&mut self, now: Now, token: Token, version: i16, answer: &OffsetFetchResponse) {
        let Some(rewrite) = self.rewriting.get(&token) else { return };
        let old = match offsets_of(version, answer) {
            Ok(old) => old,
            Err(code) => {
                let reason = format!("legacy does not tell the offsets of {}: code {code}", rewrite.group);
                return self.fail_offsets(token, reason);
            }
        };
        let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
        for (topic, partition) in old.keys().filter(|key| !rewrite.offsets.contains_key(*key)) {
            let named = OffsetDeleteRequestPartition { partition_index: *partition };
            topics.entry(topic).or_default().push(named);
        }
        if topics.is_empty() {
            return self.commit_offsets(now, token);
        }
        let group = rewrite.group.clone();
        let topics = topics
            .into_iter()
            .map(|(name, partitions)| OffsetDeleteRequestTopic { name: name.into(), partitions });
        let request = OffsetDeleteRequest { group_id: group.as_str().into(), topics: topics.collect() };
        let tag = Tag::DeleteOffsets(token);
        let sent = self.ask_coordinator(now, &group, ApiKey::OffsetDelete, 0, |_| request, tag);
        self.note_asked(token, sent);
    }

    pub(super) fn see_deleted(&mut self, now: Now, token: Token, answer: &OffsetDeleteResponse) {
        if !self.rewriting.contains_key(&token) {
            return;
        }
        let each = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let codes = std::iter::once(answer.error_code).chain(each.map(|partition| partition.error_code));
        match codes.into_iter().find(|code| *code != 0) {
            None => self.commit_offsets(now, token),
            Some(code) => {
                let reason = format!("legacy refuses to delete offsets that the kernel has not: code {code}");
                self.fail_offsets(token, reason);
            }
        }
    }

    fn commit_offsets(&mut self, now: Now, token: Token) {
        let Some(Rewrite { group, offsets }) = self.rewriting.remove(&token) else { return };
        if offsets.is_empty() {
            self.asking_offsets.remove(&token);
            self.facts.push_back(Fact::OffsetsWritten { token });
            return;
        }
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for ((topic, partition), offset) in &offsets {
            topics.entry(topic).or_default().push(OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: offset.offset,
                committed_leader_epoch: offset.leader_epoch,
                committed_metadata: Some(offset.metadata.as_str().into()),
                ..Default::default()
            });
        }
        let topics = topics.into_iter().map(|(name, partitions)| OffsetCommitRequestTopic {
            name: name.into(),
            partitions,
            ..Default::default()
        });
        let request = OffsetCommitRequest {
            group_id: group.as_str().into(),
            topics: topics.collect(),
            ..OffsetCommitRequest::default()
        };
        let tag = Tag::WriteOffsets(token);
        let least = COMMIT_FROM;
        let sent = self.ask_coordinator(now, &group, ApiKey::OffsetCommit, least, |_| request, tag);
        self.note_asked(token, sent);
    }

    /// Reads everything that a group has committed.
    pub(super) fn read_offsets(&mut self, now: Now, token: Token, group: &str) {
        let sent = self.fetch_offsets(now, group, Tag::ReadOffsets(token));
        self.note_asked(token, sent);
    }

    fn fetch_offsets(&mut self, now: Now, group: &str, tag: Tag) -> Result<(), String> {
        let name = Str::from(group);
        let request = move |version| {
            if version < GROUPS_FROM {
                return OffsetFetchRequest { group_id: name, topics: None, ..Default::default() };
            }
            let group = OffsetFetchRequestGroup { group_id: name, topics: None, ..Default::default() };
            OffsetFetchRequest { groups: vec![group], ..Default::default() }
        };
        self.ask_coordinator(now, group, ApiKey::OffsetFetch, ALL_TOPICS_FROM, request, tag)
    }

    fn note_asked(&mut self, token: Token, sent: Result<(), String>) {
        match sent {
            Ok(()) => drop(self.asking_offsets.insert(token)),
            Err(reason) => self.fail_offsets(token, reason),
        }
    }

    fn fail_offsets(&mut self, token: Token, reason: String) {
        self.asking_offsets.remove(&token);
        self.rewriting.remove(&token);
        self.facts.push_back(Fact::OffsetsFailed { token, reason });
    }

    fn ask_coordinator<R: Request>(
        &mut self,
        now: Now,
        group: &str,
        api: ApiKey,
        least: i16,
        request: impl FnOnce(i16) -> R,
        tag: Tag,
    ) -> Result<(), String> {
        let partition = partition_of(group, self.offsets.partition_count());
        let node = self.offsets.leader(partition).ok_or_else(|| format!("{group} has no coordinator"))?;
        let id = LinkId::Questions(node);
        let unreached = || format!("the coordinator of {group} cannot be reached");
        let connection = self.connections.get_mut(&id).filter(|each| each.link.is_ready());
        let connection = connection.ok_or_else(unreached)?;
        let version = connection.link.version_of(api).map_err(|error| error.to_string())?;
        let version = version.min(NAMED_TOPICS_UNTIL);
        if version < least {
            return Err(LinkError::NoVersion(api.spec().name).to_string());
        }
        let sent = connection.link.call(now, version, &request(version), tag, std::time::Duration::ZERO);
        sent.map_err(|error| error.to_string())
    }

    pub(super) fn see_written(&mut self, token: Token, answer: &OffsetCommitResponse) {
        if !self.asking_offsets.remove(&token) {
            return;
        }
        let mut partitions = answer
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)));
        let refused = partitions.find(|(_, partition)| partition.error_code != 0);
        self.facts.push_back(match refused {
            None => Fact::OffsetsWritten { token },
            Some((topic, partition)) => {
                let (name, number, code) = (&topic.name, partition.partition_index, partition.error_code);
                let reason = format!("legacy refuses the offset of {name}/{number} with code {code}");
                Fact::OffsetsFailed { token, reason }
            }
        });
    }

    pub(super) fn see_read(&mut self, token: Token, version: i16, answer: &OffsetFetchResponse) {
        if !self.asking_offsets.remove(&token) {
            return;
        }
        self.facts.push_back(match offsets_of(version, answer) {
            Ok(offsets) => Fact::OffsetsRead { token, offsets },
            Err(code) => {
                let reason = format!("legacy does not tell the group's offsets: code {code}");
                Fact::OffsetsFailed { token, reason }
            }
        });
    }

    /// A connection broke: whatever was asked is ordered again by whoever wants it.
    pub(super) fn fail_asking_offsets(&mut self, reason: &str) {
        for token in self.asking_offsets.clone() {
            self.fail_offsets(token, reason.to_owned());
        }
    }
}

/// The offsets of an answer about one group, or its error.
fn offsets_of(version: i16, answer: &OffsetFetchResponse) -> Result<GroupOffsets, i16> {
    let mut offsets = GroupOffsets::new();
    let mut add = |topic: &Str, partition: i32, offset: i64, metadata: Option<&Str>, code: i16| {
        if code != 0 {
            return Err(code);
        }
        if offset >= 0 {
            let metadata = metadata.map(|text| text.as_str().to_owned()).unwrap_or_default();
            let key = (topic.as_str().to_owned(), partition);
            offsets.insert(key, GroupOffset { offset, leader_epoch: -1, metadata });
        }
        Ok(())
    };
    if version < GROUPS_FROM {
        if answer.error_code != 0 {
            return Err(answer.error_code);
        }
        for topic in &answer.topics {
            for each in &topic.partitions {
                let metadata = each.metadata.as_ref();
                add(&topic.name, each.partition_index, each.committed_offset, metadata, each.error_code)?;
            }
        }
        return Ok(offsets);
    }
    for group in &answer.groups {
        if group.error_code != 0 {
            return Err(group.error_code);
        }
        for topic in &group.topics {
            for each in &topic.partitions {
                let metadata = each.metadata.as_ref();
                add(&topic.name, each.partition_index, each.committed_offset, metadata, each.error_code)?;
            }
        }
    }
    Ok(offsets)
}
