//! Fetching: one request at a time to each leader, for everything that it leads and we follow.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kernel_model::Now;
use translator_kafka::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use translator_kafka::codec::messages::{FetchRequest, FetchResponse, ListOffsetsResponse};
use translator_kafka::codec::{ApiKey, Request, Str, Uuid};

use super::topics::{EARLIEST, LATEST, list_offsets};
use super::{Fact, Feed, Fetched, LinkId, Pending, Tag};
use crate::follower::{Follower, Outcome};
use crate::offsets::{OFFSETS_TOPIC, Wanted};

/// Longest wait of a fetch for news.
const FETCH_WAIT: Duration = Duration::from_millis(250);
/// Longest wait while a partition of the same leader cannot be asked for yet: it must not wait for the others' news.
const FETCH_WAIT_SHORT: Duration = Duration::from_millis(20);
/// How long a leader is left alone after an answer that brought little: a fetch for every batch costs both sides, and the
/// kernel an fsync, more than the batch does.
const LINGER: Duration = Duration::from_millis(5);
/// An answer of this size is not little: there may be more, and it is fetched at once.
const LITTLE_BYTES: usize = 1 << 20;
/// How long a partition rests that its leader refused.
const REFUSED: Duration = Duration::from_millis(100);
/// Bytes, over all partitions, that the kernel may owe an answer for before fetching stops. What fetches under way
/// bring comes on top: [`FETCH_BYTES_MAX`] for each broker.
const UNANSWERED_BYTES_MAX: usize = 32 << 20;
/// Most bytes of one answer.
const FETCH_BYTES_MAX: i32 = 16 << 20;
/// From this version on a fetch names the epoch of the last record held.
const DIVERGENCE_SINCE: i16 = 12;
/// From this version on topics go by id.
const BY_ID_SINCE: i16 = 13;

impl Feed {
    /// Sends a request in the best version. Says whether it could be sent; a connection that cannot express it
    /// is closed.
    pub(super) fn call<R: Request>(
        &mut self,
        now: Now,
        id: LinkId,
        api: ApiKey,
        request: &R,
        tag: Tag,
    ) -> bool {
        self.call_until(now, id, (api, i16::MAX), request, tag)
    }

    /// The same in a version that is not newer than this one.
    pub(super) fn call_until<R: Request>(
        &mut self,
        now: Now,
        id: LinkId,
        (api, newest): (ApiKey, i16),
        request: &R,
        tag: Tag,
    ) -> bool {
        let Some(connection) = self.connections.get_mut(&id).filter(|each| each.link.is_ready()) else {
            return false;
        };
        let patience = if api == ApiKey::Fetch { FETCH_WAIT } else { Duration::ZERO };
        let sent = connection
            .link
            .version_of(api)
            .and_then(|version| connection.link.call(now, version.min(newest), request, tag, patience));
        match sent {
            Ok(()) => true,
            Err(error) => {
                self.fail_link(now, id, error);
                false
            }
        }
    }

    /// Begins a fetch at each leader that has none under way.
    pub(super) fn fetch(&mut self, now: Now) {
        // However many partitions there are, a kernel that stalls must not make the feed hold all of legacy.
        let unanswered: usize = self.followers.values().map(Follower::unanswered_bytes).sum();
        if unanswered >= UNANSWERED_BYTES_MAX {
            return;
        }
        self.refused.retain(|_, until| *until > now.elapsed);
        let idle: Vec<i32> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.link.is_ready() && !connection.fetching)
            .filter(|(_, connection)| connection.fetch_at <= now.elapsed)
            .filter_map(|(id, _)| if let LinkId::Node(node) = id { Some(*node) } else { None })
            .collect();
        for node in idle {
            let wanted = self.wanted(node);
            if wanted.is_empty() {
                continue;
            }
            let version = self
                .connections
                .get(&LinkId::Node(node))
                .and_then(|connection| connection.link.version_of(ApiKey::Fetch).ok());
            let wait = if self.is_awaited(node) { FETCH_WAIT_SHORT } else { FETCH_WAIT };
            let request =
                fetch_request(&wanted, version.unwrap_or_default(), self.config.partition_bytes_max, wait);
            let fetched = wanted.into_iter().map(|(fetched, _)| fetched).collect();
            if self.call(now, LinkId::Node(node), ApiKey::Fetch, &request, Tag::Fetch(fetched))
                && let Some(connection) = self.connections.get_mut(&LinkId::Node(node))
            {
                connection.fetching = true;
            }
        }
    }

    /// Whether a partition that a node leads will soon be fetched, and cannot be yet.
    fn is_awaited(&self, node: i32) -> bool {
        let waits = |key: &(String, i32), follower: &Follower| {
            follower.is_locating() || (follower.fetch_position().is_some() && self.refused.contains_key(key))
        };
        self.followers.iter().any(|(key, follower)| follower.leader == node && waits(key, follower))
    }

    /// What to fetch from a node, each with the epoch of the last record held.
    fn wanted(&self, node: i32) -> Vec<(Fetched, i32)> {
        let id_of = |topic: &str| {
            let view = self.view.as_ref();
            view.and_then(|view| view.topics.get(topic)).map(|topic| topic.id).unwrap_or_default()
        };
        let rests = |topic: &str, partition: i32| self.refused.contains_key(&(topic.to_owned(), partition));
        let partitions = self.followers.iter().filter(|(_, follower)| follower.leader == node);
        let partitions = partitions.filter(|((topic, partition), _)| !rests(topic, *partition));
        let partitions = partitions.filter_map(|((topic, partition), follower)| {
            let (from, epoch) = follower.fetch_position()?;
            let (topic, topic_id) = (topic.clone(), id_of(topic));
            let fetched =
                Fetched { topic, topic_id, partition: *partition, from, epoch: follower.leader_epoch };
            Some((fetched, epoch))
        });
        let offsets_id = id_of(OFFSETS_TOPIC);
        let offsets = self.offsets.wanted(node).filter(|(partition, _)| !rests(OFFSETS_TOPIC, *partition));
        let offsets = offsets.map(|(partition, from)| {
            let topic = OFFSETS_TOPIC.to_owned();
            (Fetched { topic, topic_id: offsets_id, partition, from, epoch: -1 }, -1)
        });
        partitions.chain(offsets).collect()
    }

    pub(super) fn see_fetch(&mut self, now: Now, id: LinkId, fetched: &[Fetched], answer: &FetchResponse) {
        if answer.error_code != 0 {
            let all =
                fetched.iter().map(|each| ((each.topic.clone(), each.partition), now.deadline(REFUSED)));
            self.refused.extend(all);
            self.refresh(now);
            return;
        }
        let asked: BTreeMap<(Uuid, &str, i32), &Fetched> = fetched
            .iter()
            .flat_map(|each| {
                // The answer names topics by id or by name, as the request did.
                let by_id = ((each.topic_id, "", each.partition), each);
                let by_name = ((Uuid::default(), each.topic.as_str(), each.partition), each);
                [by_id, by_name]
            })
            .collect();
        for topic in &answer.responses {
            for partition in &topic.partitions {
                let key = (topic.topic_id, topic.topic.as_str(), partition.partition_index);
                let Some(each) = asked.get(&key) else { continue };
                let outcome = self.take_partition(now, each, partition);
                self.follow_up(now, id, each, outcome);
            }
        }
    }

    fn take_partition(
        &mut self,
        now: Now,
        each: &Fetched,
        answer: &translator_kafka::codec::messages::fetch_response::PartitionData,
    ) -> Outcome {
        if each.topic == OFFSETS_TOPIC {
            let (outcome, messages) = self.offsets.fetched(
                now,
                each.partition,
                each.from,
                answer,
                &Wanted { groups: &self.config.groups, epochs: &self.epochs },
                self.config.shards,
            );
            for message in messages {
                self.coordinate(message.shard, message.transfer, Pending::Follow(each.partition));
            }
            return outcome;
        }
        let key = (each.topic.clone(), each.partition);
        let Some(follower) = self.followers.get_mut(&key) else { return Outcome::Fine };
        let outcome = follower.fetched(now, each.from, each.epoch, answer);
        self.send_mirror(&key);
        outcome
    }

    fn send_mirror(&mut self, key: &(String, i32)) {
        let Some(follower) = self.followers.get_mut(key) else { return };
        if let (Some((request, bytes)), Some(log)) = (follower.take_request(), follower.log()) {
            self.ask_kernel(log.shard(), request, Pending::Mirror(key.clone(), log, bytes));
        }
    }

    fn follow_up(&mut self, now: Now, id: LinkId, each: &Fetched, outcome: Outcome) {
        if matches!(outcome, Outcome::Refresh | Outcome::AskEnds) {
            self.refused.insert((each.topic.clone(), each.partition), now.deadline(REFUSED));
        }
        match outcome {
            Outcome::Fine => {}
            Outcome::Refresh => self.refresh(now),
            Outcome::AskEnds if each.topic == OFFSETS_TOPIC => {}
            Outcome::AskEnds => {
                let request = list_offsets(&each.topic, &[each.partition], EARLIEST);
                let tag = Tag::Ends(each.topic.clone(), each.partition, None);
                self.call(now, id, ApiKey::ListOffsets, &request, tag);
            }
            Outcome::Bypassed { from, records } => {
                let (topic, partition) = (each.topic.clone(), each.partition);
                self.facts.push_back(Fact::Bypassed { topic, partition, from, records });
            }
        }
    }

    /// Earliest first, then latest; both together tell what an offset out of range means.
    pub(super) fn see_ends(
        &mut self,
        now: Now,
        id: LinkId,
        topic: &str,
        partition: i32,
        earliest: Option<i64>,
        answer: &ListOffsetsResponse,
    ) {
        let found = answer.topics.iter().flat_map(|topic| &topic.partitions).next();
        let Some(found) = found.filter(|found| found.error_code == 0) else {
            self.refresh(now);
            return;
        };
        let Some(earliest) = earliest else {
            let request = list_offsets(topic, &[partition], LATEST);
            let tag = Tag::Ends(topic.to_owned(), partition, Some(found.offset));
            self.call(now, id, ApiKey::ListOffsets, &request, tag);
            return;
        };
        let key = (topic.to_owned(), partition);
        if let Some(follower) = self.followers.get_mut(&key) {
            follower.ends(earliest, found.offset);
        }
        self.send_mirror(&key);
    }
}

/// When a leader is asked again that gave this answer. One that had no news was waited for, and is asked at once.
pub(super) fn next_at(now: Now, answer: &FetchResponse) -> Duration {
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let bytes: usize = partitions.filter_map(|each| each.records.as_ref()).map(Bytes::len).sum();
    if (1..LITTLE_BYTES).contains(&bytes) { now.deadline(LINGER) } else { now.elapsed }
}

fn fetch_request(
    wanted: &[(Fetched, i32)],
    version: i16,
    partition_bytes_max: i32,
    wait: Duration,
) -> FetchRequest {
    let by_id = version >= BY_ID_SINCE;
    let mut topics: BTreeMap<&str, FetchTopic> = BTreeMap::new();
    for (fetched, epoch) in wanted {
        let topic = topics.entry(&fetched.topic).or_insert_with(|| FetchTopic {
            topic: if by_id { Str::default() } else { Str::from(fetched.topic.as_str()) },
            topic_id: if by_id { fetched.topic_id } else { Uuid::default() },
            ..Default::default()
        });
        topic.partitions.push(FetchPartition {
            partition: fetched.partition,
            // A leader of another epoch refuses: what it answers is known to come from this one.
            current_leader_epoch: fetched.epoch,
            fetch_offset: i64::try_from(fetched.from).unwrap_or(i64::MAX),
            // An older broker cannot be told; it is asked all the same.
            last_fetched_epoch: if version >= DIVERGENCE_SINCE { *epoch } else { -1 },
            log_start_offset: -1,
            partition_max_bytes: partition_bytes_max,
            ..Default::default()
        });
    }
    FetchRequest {
        replica_id: -1,
        max_wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
        min_bytes: 1,
        max_bytes: FETCH_BYTES_MAX,
        isolation_level: 0,
        session_id: 0,
        session_epoch: -1,
        topics: topics.into_values().collect(),
        ..Default::default()
    }
}
