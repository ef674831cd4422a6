//! Groups of the consumer protocol (KIP-848).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kernel_model::{KernelError, LogEpoch, LogId, LogKind};

use super::GROUP;
use super::host::{Host, Member as Classic, code, commit_request};
use crate::catalog::{Catalog, Partition, Topic};
use crate::codec::messages::consumer_group_heartbeat_request::TopicPartitions;
use crate::codec::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest, OffsetCommitResponse,
};
use crate::codec::{Str, Uuid};
use crate::coordinator::group::stored::StoredKey;
use crate::coordinator::group::transfer::{Transfer, TransferReply};
use crate::coordinator::group::{Limits, decode_offsets_record};
use crate::errors::ErrorCode;
use crate::topic_config::Settings;

const ORDERS: Uuid = Uuid([1; 16]);
const SESSION: Duration = Duration::from_secs(45);

fn topic(name: &str, id: Uuid, partitions: usize) -> Arc<Topic> {
    let partition = Partition { log: LogId(1), epoch: LogEpoch(0), kind: LogKind::Led };
    Arc::new(Topic {
        name: name.into(),
        id,
        partitions: vec![partition; partitions],
        configs: std::collections::BTreeMap::new(),
        settings: Settings::of(&std::collections::BTreeMap::new()),
        legacy_created: false,
    })
}

fn publish(host: &Host, topics: &[(&str, Uuid, usize)]) {
    let mut catalog = Catalog::new("cluster");
    topics.iter().for_each(|(name, id, size)| catalog.put(topic(name, *id, *size)));
    host.catalog.publish(Arc::new(catalog));
}

fn host(partitions: usize) -> Host {
    let host = Host::new();
    publish(&host, &[("orders", ORDERS, partitions)]);
    host
}

/// A client: what it was told, and what it owns.
#[derive(Debug, Clone)]
struct Member {
    id: String,
    instance: Option<String>,
    epoch: i32,
    owned: BTreeSet<i32>,
    told: BTreeSet<i32>,
}

impl Member {
    fn new(id: &str) -> Self {
        Self { id: id.into(), instance: None, epoch: 0, owned: BTreeSet::new(), told: BTreeSet::new() }
    }

    fn fixed(id: &str, instance: &str) -> Self {
        Self { instance: Some(instance.into()), ..Self::new(id) }
    }

    fn request(&self) -> ConsumerGroupHeartbeatRequest {
        let owned = TopicPartitions {
            topic_id: ORDERS,
            partitions: self.owned.iter().copied().collect(),
            ..Default::default()
        };
        let joins = self.epoch == 0;
        ConsumerGroupHeartbeatRequest {
            group_id: GROUP.into(),
            member_id: self.id.as_str().into(),
            member_epoch: self.epoch,
            instance_id: self.instance.as_deref().map(Into::into),
            rebalance_timeout_ms: if joins { 60_000 } else { -1 },
            subscribed_topic_names: joins.then(|| vec!["orders".into()]),
            topic_partitions: Some(if self.owned.is_empty() { Vec::new() } else { vec![owned] }),
            ..Default::default()
        }
    }

    fn send(&mut self, host: &mut Host, request: &ConsumerGroupHeartbeatRequest) -> ErrorCode {
        let answer = host.call(1, request);
        self.take(&answer)
    }

    fn take(&mut self, answer: &ConsumerGroupHeartbeatResponse) -> ErrorCode {
        if answer.error_code == 0 {
            self.epoch = answer.member_epoch;
            if let Some(assignment) = &answer.assignment {
                let topics = assignment.topic_partitions.iter();
                self.told = topics.flat_map(|topic| topic.partitions.clone()).collect();
            }
        }
        code(answer.error_code)
    }

    fn beat(&mut self, host: &mut Host) -> ErrorCode {
        let request = self.request();
        self.send(host, &request)
    }

    /// Beats, and does what it is told: lets go first, then takes.
    fn follow(&mut self, host: &mut Host) {
        assert_eq!(self.beat(host), ErrorCode::None, "{} is heard", self.id);
        self.owned = self.told.clone();
    }
}

/// Lets everybody beat until nothing moves; nobody ever owns what another one does.
fn settle(host: &mut Host, members: &mut [Member]) {
    for _ in 0..6 {
        for at in 0..members.len() {
            members[at].follow(host);
            let all: Vec<i32> = members.iter().flat_map(|member| member.owned.iter().copied()).collect();
            let unique: BTreeSet<i32> = all.iter().copied().collect();
            assert_eq!(all.len(), unique.len(), "a partition has one owner: {members:?}");
        }
    }
}

fn state(host: &mut Host) -> String {
    let request = ConsumerGroupDescribeRequest { group_ids: vec![GROUP.into()], ..Default::default() };
    let described = host.call(1, &request);
    assert_eq!(described.groups[0].error_code, 0);
    described.groups[0].group_state.to_string()
}

fn shares(members: &[Member]) -> Vec<usize> {
    members.iter().map(|member| member.owned.len()).collect()
}

#[test]
fn members_come_and_go_and_share_evenly() {
    let mut host = host(6);
    let mut members = vec![Member::new("a")];
    settle(&mut host, &mut members);
    assert_eq!(shares(&members), [6]);
    assert_eq!(members[0].epoch, 1);
    members.push(Member::new("b"));
    settle(&mut host, &mut members);
    assert_eq!(shares(&members), [3, 3]);
    let kept = members[0].owned.clone();
    members.push(Member::new("c"));
    settle(&mut host, &mut members);
    assert_eq!(shares(&members), [2, 2, 2]);
    assert!(members[0].owned.is_subset(&kept), "what can stay stays");
    assert_eq!(state(&mut host), "Stable");
    let mut gone = members.remove(1);
    gone.epoch = -1;
    assert_eq!(gone.beat(&mut host), ErrorCode::None);
    settle(&mut host, &mut members);
    assert_eq!(shares(&members), [3, 3]);
}

#[test]
fn a_partition_waits_for_who_has_it_to_let_go() {
    let mut host = host(2);
    let mut first = Member::new("a");
    first.follow(&mut host);
    let mut second = Member::new("b");
    second.follow(&mut host);
    assert!(second.owned.is_empty());
    assert_eq!(first.beat(&mut host), ErrorCode::None);
    assert_eq!(first.told.len(), 1, "it is told to let go of one");
    assert_eq!(first.epoch, 1, "and stays in its epoch until it has");
    assert_eq!(state(&mut host), "Reconciling");
    second.follow(&mut host);
    assert!(second.owned.is_empty());
    first.owned = first.told.clone();
    first.follow(&mut host);
    assert_eq!(first.epoch, 2);
    second.follow(&mut host);
    assert_eq!((first.owned.len(), second.owned.len()), (1, 1));
}

#[test]
fn who_does_not_let_go_in_time_or_is_silent_is_put_out() {
    let mut host = host(2);
    let mut first = Member::new("a");
    first.follow(&mut host);
    let mut second = Member::new("b");
    second.follow(&mut host);
    for _ in 0..7 {
        // It is heard, but holds on.
        assert_eq!(first.beat(&mut host), ErrorCode::None);
        assert_eq!(second.beat(&mut host), ErrorCode::None);
        host.advance(Duration::from_secs(9));
    }
    assert_eq!(first.beat(&mut host), ErrorCode::UnknownMemberId);
    second.follow(&mut host);
    assert_eq!(second.owned.len(), 2);
    host.advance(SESSION);
    assert_eq!(second.beat(&mut host), ErrorCode::UnknownMemberId);
    assert_eq!(state(&mut host), "Empty");
}

#[test]
fn epochs_are_checked() {
    let mut host = host(2);
    let mut member = Member::new("a");
    member.follow(&mut host);
    let newer = Member { epoch: member.epoch + 1, ..member.clone() };
    assert_eq!(newer.clone().beat(&mut host), ErrorCode::FencedMemberEpoch);
    assert_eq!(Member { epoch: 1, ..Member::new("x") }.beat(&mut host), ErrorCode::UnknownMemberId);
    // The answer to its first heartbeat was lost: it owns nothing, which fits.
    let mut again = Member::new("a");
    again.follow(&mut host);
    assert_eq!(again.owned.len(), 2);
    // Another member makes the epoch grow; the old epoch with what it has still counts, others do not.
    let mut second = Member::new("b");
    second.follow(&mut host);
    member.follow(&mut host);
    member.follow(&mut host);
    assert_eq!(member.epoch, 2);
    let lost = Member { epoch: 1, ..member.clone() };
    assert_eq!(lost.clone().beat(&mut host), ErrorCode::None);
    let more = Member { epoch: 1, owned: [0, 1].into(), ..member.clone() };
    assert_eq!(more.clone().beat(&mut host), ErrorCode::FencedMemberEpoch);
}

#[test]
fn offsets_need_the_members_epoch() {
    let mut host = host(2);
    let mut member = Member::new("a");
    member.follow(&mut host);
    let mut commit = |epoch: i32, id: &str, version: i16| {
        let message = host.send(version, "c", &commit_request(epoch, id, "orders", 0, 7));
        let answer: OffsetCommitResponse = host.take(message, version);
        code(answer.topics[0].partitions[0].error_code)
    };
    assert_eq!(commit(1, "a", 9), ErrorCode::None);
    assert_eq!(commit(0, "a", 9), ErrorCode::StaleMemberEpoch);
    assert_eq!(commit(2, "a", 9), ErrorCode::StaleMemberEpoch);
    assert_eq!(commit(1, "x", 9), ErrorCode::UnknownMemberId);
    assert_eq!(commit(-1, "", 9), ErrorCode::UnknownMemberId);
    assert_eq!(commit(1, "a", 8), ErrorCode::UnsupportedVersion);
    assert_eq!(host.offset(0), 7);
}

#[test]
fn static_members_keep_their_place() {
    let mut host = host(4);
    let mut members = vec![Member::fixed("a", "one"), Member::fixed("b", "two")];
    settle(&mut host, &mut members);
    let mut rival = Member::fixed("c", "one");
    assert_eq!(rival.beat(&mut host), ErrorCode::UnreleasedInstanceId);
    let before = members[0].owned.clone();
    let epoch = members[0].epoch;
    let mut leaving = Member { epoch: -2, ..members[0].clone() };
    assert_eq!(leaving.beat(&mut host), ErrorCode::None);
    rival.follow(&mut host);
    assert_eq!((rival.owned.clone(), rival.epoch), (before, epoch), "no rebalance");
    assert_eq!(members[0].beat(&mut host), ErrorCode::FencedInstanceId);
    assert_eq!(members[1].beat(&mut host), ErrorCode::None);
}

#[test]
fn topics_that_grow_or_come_are_shared_out() {
    let mut host = host(2);
    let mut member = Member::new("a");
    let mut request = member.request();
    request.subscribed_topic_names = None;
    request.subscribed_topic_regex = Some("ord.*".into());
    assert_eq!(member.send(&mut host, &request), ErrorCode::None);
    member.owned = member.told.clone();
    assert_eq!(member.owned.len(), 2);
    publish(&host, &[("orders", ORDERS, 3), ("other", Uuid([2; 16]), 5), ("order", Uuid([3; 16]), 1)]);
    let answer = host.call(1, &member.request());
    let topics = &answer.assignment.as_ref().unwrap().topic_partitions;
    let sizes: Vec<(Uuid, usize)> =
        topics.iter().map(|topic| (topic.topic_id, topic.partitions.len())).collect();
    assert_eq!(sizes, [(ORDERS, 3), (Uuid([3; 16]), 1)], "whole names are matched");
    request.member_id = "b".into();
    request.subscribed_topic_regex = Some("a(".into());
    assert_eq!(code(host.call(1, &request).error_code), ErrorCode::InvalidRegularExpression);
    request.subscribed_topic_regex = Some("a)|(b".into());
    assert_eq!(code(host.call(1, &request).error_code), ErrorCode::InvalidRegularExpression);
}

#[test]
fn a_pattern_that_would_take_much_memory_is_refused() {
    let mut host = host(2);
    let mut request = Member::new("a").request();
    request.subscribed_topic_names = None;
    for pattern in ["a".repeat(4097), "((((a{100}){100}){100}){100})".to_owned(), "(".repeat(4096)] {
        request.subscribed_topic_regex = Some(pattern.into());
        assert_eq!(code(host.call(1, &request).error_code), ErrorCode::InvalidRegularExpression);
    }
    request.subscribed_topic_regex = Some("a".repeat(4096).into());
    assert_eq!(code(host.call(1, &request).error_code), ErrorCode::None);
}

#[test]
fn a_heartbeat_that_makes_no_sense_is_refused() {
    let mut host = Host::with(Limits { group_members_max: 1, ..Limits::default() });
    publish(&host, &[("orders", ORDERS, 2)]);
    let good = Member::new("a").request();
    let cases = [
        (ConsumerGroupHeartbeatRequest { member_id: "".into(), ..good.clone() }, ErrorCode::InvalidRequest),
        (
            ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: -1, ..good.clone() },
            ErrorCode::InvalidRequest,
        ),
        (ConsumerGroupHeartbeatRequest { topic_partitions: None, ..good.clone() }, ErrorCode::InvalidRequest),
        (
            ConsumerGroupHeartbeatRequest { subscribed_topic_names: None, ..good.clone() },
            ErrorCode::InvalidRequest,
        ),
        (
            ConsumerGroupHeartbeatRequest { server_assignor: Some("x".into()), ..good.clone() },
            ErrorCode::UnsupportedAssignor,
        ),
        (ConsumerGroupHeartbeatRequest { member_epoch: -2, ..good.clone() }, ErrorCode::InvalidRequest),
        (ConsumerGroupHeartbeatRequest { member_epoch: -3, ..good.clone() }, ErrorCode::InvalidRequest),
        (ConsumerGroupHeartbeatRequest { member_epoch: 4, ..good.clone() }, ErrorCode::GroupIdNotFound),
        (good.clone(), ErrorCode::None),
        (
            ConsumerGroupHeartbeatRequest { member_id: "b".into(), ..good.clone() },
            ErrorCode::GroupMaxSizeReached,
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(code(host.call(1, &request).error_code), expected, "{request:?}");
    }
}

#[test]
fn members_go_on_after_a_restart_and_a_storage_that_refuses_makes_them_join_again() {
    let mut host = host(4);
    let mut members = vec![Member::new("a"), Member::new("b")];
    settle(&mut host, &mut members);
    let before = members.clone();
    host.restart();
    settle(&mut host, &mut members);
    for (now, then) in members.iter().zip(&before) {
        assert_eq!((now.epoch, &now.owned), (then.epoch, &then.owned), "nobody notices");
    }
    host.is_held = true;
    let mut third = Member::new("c");
    let message = host.send(1, "c", &third.request());
    assert!(!host.is_answered(message), "the answer waits for the disk");
    host.refusal = Some(KernelError::Full);
    host.release();
    let answer: ConsumerGroupHeartbeatResponse = host.take(message, 1);
    assert_eq!(third.take(&answer), ErrorCode::CoordinatorNotAvailable);
    host.refusal = None;
    assert_eq!(members[0].beat(&mut host), ErrorCode::UnknownMemberId);
    let mut again = vec![Member::new("a"), Member::new("b"), third];
    settle(&mut host, &mut again);
    assert_eq!(again.iter().map(|member| member.owned.len()).sum::<usize>(), 4);
}

#[test]
fn a_group_changes_its_protocol_only_while_it_is_empty() {
    let mut host = host(2);
    let mut member = Member::new("a");
    member.follow(&mut host);
    let mut classic = Classic::new("c");
    let join = classic.send_join(&mut host);
    assert_eq!(code(classic.joined(&mut host, join).error_code), ErrorCode::InconsistentGroupProtocol);
    let mut leaving = Member { epoch: -1, ..member.clone() };
    assert_eq!(leaving.beat(&mut host), ErrorCode::None);
    classic.obtain_id(&mut host);
    let join = classic.send_join(&mut host);
    host.advance(Duration::from_secs(6));
    assert_eq!(classic.joined(&mut host, join).error_code, 0);
    let mut late = Member::new("a");
    assert_eq!(late.beat(&mut host), ErrorCode::GroupIdNotFound);
    assert_eq!(classic.leave(&mut host), ErrorCode::None);
    late.follow(&mut host);
    assert_eq!(late.owned.len(), 2);
    host.restart();
    assert_eq!(late.beat(&mut host), ErrorCode::None);
}

#[test]
fn administrators_see_its_kind_and_delete_it_when_it_is_empty() {
    let mut host = host(2);
    let mut member = Member::new("a");
    member.follow(&mut host);
    let listed =
        host.call(5, &ListGroupsRequest { types_filter: vec!["Consumer".into()], ..Default::default() });
    let group = &listed.groups[0];
    assert_eq!(
        (&*group.group_type, &*group.group_state, &*group.protocol_type),
        ("consumer", "Stable", "consumer")
    );
    let request = DescribeGroupsRequest { groups: vec![GROUP.into()], ..Default::default() };
    assert_eq!(code(host.call(6, &request).groups[0].error_code), ErrorCode::GroupIdNotFound);
    let request = ConsumerGroupDescribeRequest { group_ids: vec![GROUP.into()], ..Default::default() };
    let described = host.call(1, &request);
    let of = &described.groups[0].members[0];
    assert_eq!(of.assignment.topic_partitions[0].partitions, [0, 1]);
    assert_eq!(&*of.assignment.topic_partitions[0].topic_name, "orders");
    assert_eq!(of.target_assignment, of.assignment);
    assert_eq!((&*of.client_host, of.subscribed_topic_regex.as_deref()), ("/127.0.0.1", Some("")));
    assert_eq!(&*described.groups[0].assignor_name, "uniform");
    let delete = DeleteGroupsRequest { groups_names: vec![GROUP.into()], ..Default::default() };
    assert_eq!(code(host.call(2, &delete).results[0].error_code), ErrorCode::NonEmptyGroup);
    let mut leaving = Member { epoch: -1, ..member };
    assert_eq!(leaving.beat(&mut host), ErrorCode::None);
    assert_eq!(code(host.call(2, &delete).results[0].error_code), ErrorCode::None);
    assert!(host.keys.0.is_empty(), "nothing is left of it: {:?}", host.keys);
}

/// The records that a coordinator stores are those of legacy's log: another one follows them, and members go on there.
#[test]
fn members_go_on_where_their_groups_records_were_followed() {
    let mut legacy = host(4);
    let mut members = vec![Member::new("a"), Member::fixed("b", "two")];
    settle(&mut legacy, &mut members);
    let records: Vec<_> = legacy
        .keys
        .0
        .iter()
        .filter_map(|(key, value)| {
            let StoredKey::Consumer(_, record) = StoredKey::parse(key.clone())? else { return None };
            Some(decode_offsets_record(&record, Some(value)).unwrap())
        })
        .collect();
    assert_eq!(records.len(), 2 + 2 * 3);
    let mut kernel = host(4);
    let reply = kernel.transfer(&Transfer::Follow { records, progress: vec![(0, 8)] });
    assert_eq!(reply, TransferReply::Followed { ignored: Vec::<Str>::new() });
    assert_eq!(members[0].beat(&mut kernel), ErrorCode::NotCoordinator);
    kernel.restart();
    let reply = kernel.transfer(&Transfer::Activate { group: GROUP.into() });
    assert_eq!(reply, TransferReply::Done);
    let before = members.clone();
    settle(&mut kernel, &mut members);
    for (now, then) in members.iter().zip(&before) {
        assert_eq!((now.epoch, &now.owned), (then.epoch, &then.owned), "nobody notices");
    }
    assert_eq!(state(&mut kernel), "Stable");
    let reply = kernel.transfer(&Transfer::Deactivate { group: GROUP.into() });
    assert_eq!(reply, TransferReply::Done);
    assert_eq!(members[0].beat(&mut kernel), ErrorCode::NotCoordinator);
}

fn gather(host: &mut Host) -> Vec<Str> {
    match host.transfer(&Transfer::Gather { group: GROUP.into() }) {
        TransferReply::Gathered { missing } => missing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn members_of_a_group_that_goes_back_let_go_of_everything_and_join_the_other_side_anew() {
    let mut host = host(4);
    let mut members = vec![Member::new("a"), Member::new("b")];
    settle(&mut host, &mut members);
    assert_eq!(gather(&mut host), [Str::from("a"), Str::from("b")]);
    for member in &mut members {
        let epoch = member.epoch;
        assert_eq!(member.beat(&mut host), ErrorCode::None);
        assert!(member.told.is_empty(), "nothing is left for it");
        assert_eq!(member.epoch, epoch, "so that it may commit what it has read");
    }
    assert_eq!(gather(&mut host).len(), 2, "they have not let go yet");
    let commit = commit_request(members[0].epoch, "a", "orders", 0, 70);
    let committed: OffsetCommitResponse = host.call(9, &commit);
    assert_eq!(code(committed.topics[0].partitions[0].error_code), ErrorCode::None);
    members[0].owned.clear();
    assert_eq!(members[0].beat(&mut host), ErrorCode::UnknownMemberId);
    assert_eq!(gather(&mut host), [Str::from("b")]);
    members[0].epoch = 0;
    assert_eq!(
        members[0].beat(&mut host),
        ErrorCode::CoordinatorLoadInProgress,
        "it waits for the other side"
    );
    members[1].owned.clear();
    assert_eq!(members[1].beat(&mut host), ErrorCode::UnknownMemberId);
    assert!(gather(&mut host).is_empty());
    assert_eq!(host.transfer(&Transfer::Close { group: GROUP.into() }), TransferReply::Done);
    let (snapshot, _) = host.export(GROUP).unwrap();
    assert_eq!(snapshot.offsets[0].1.offset, 70);
    assert_eq!(host.transfer(&Transfer::Deactivate { group: GROUP.into() }), TransferReply::Done);
    assert_eq!(members[0].beat(&mut host), ErrorCode::NotCoordinator);
    host.restart();
    assert_eq!(host.export(GROUP).unwrap().0, snapshot);
}

#[test]
fn a_consumer_that_does_not_let_go_is_waited_for_no_longer_than_its_time_allows() {
    let mut host = host(2);
    let mut members = vec![Member::new("a")];
    settle(&mut host, &mut members);
    gather(&mut host);
    for _ in 0..2 {
        host.advance(Duration::from_secs(25));
        assert_eq!(members[0].beat(&mut host), ErrorCode::None);
        assert_eq!(gather(&mut host).len(), 1);
    }
    host.advance(Duration::from_secs(40));
    assert!(gather(&mut host).is_empty());
    assert_eq!(members[0].beat(&mut host), ErrorCode::UnknownMemberId);
}

#[test]
fn a_group_of_consumers_that_stays_after_all_is_shared_out_again() {
    let mut host = host(4);
    let mut members = vec![Member::new("a"), Member::new("b")];
    settle(&mut host, &mut members);
    gather(&mut host);
    members[0].follow(&mut host);
    assert_eq!(members[0].beat(&mut host), ErrorCode::UnknownMemberId);
    members[0].epoch = 0;
    assert_eq!(host.transfer(&Transfer::Reopen { group: GROUP.into() }), TransferReply::Done);
    settle(&mut host, &mut members);
    assert_eq!(shares(&members), [2, 2]);
    assert_eq!(state(&mut host), "Stable");
}

#[test]
fn a_gathering_that_a_restart_ends_leaves_a_group_that_is_shared_out_again() {
    let mut host = host(4);
    let mut members = vec![Member::new("a")];
    settle(&mut host, &mut members);
    gather(&mut host);
    members[0].follow(&mut host);
    host.restart();
    settle(&mut host, &mut members);
    assert_eq!(shares(&members), [4]);
}
