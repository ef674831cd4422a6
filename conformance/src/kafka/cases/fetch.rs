//! Fetch: what is read, and where nothing can be read.

use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::{ApiKey, FetchRequest};

use super::super::case::{Case, Expect, Of};
use super::super::requests::{BY_ID_FROM, fetch, fetch_of};
use super::super::scene::{Given, Scene};
use super::cluster::NO_ID;

const ANY: (i16, i16) = (4, 18);

const FETCHES: Of = Of(ApiKey::Fetch);

pub(super) const CASES: &[Case] = &[
    FETCHES.case(ANY, "from the beginning", Given::Records, Expect::Success, |scene, version| {
        Box::new(fetch(scene, 0, version))
    }),
    FETCHES.case(ANY, "from within a batch", Given::Records, Expect::Success, |scene, version| {
        Box::new(fetch(scene, 4, version))
    }),
    FETCHES.case(ANY, "at the end", Given::Records, Expect::Success, |scene, version| {
        Box::new(fetch(scene, 6, version))
    }),
    FETCHES.case(ANY, "of an empty topic", Given::Topic, Expect::Success, |scene, version| {
        Box::new(fetch(scene, 0, version))
    }),
    FETCHES.case(
        ANY,
        "behind the end",
        Given::Records,
        Expect::Error(Error::OffsetOutOfRange),
        |scene, version| Box::new(fetch(scene, 7, version)),
    ),
    FETCHES.case(
        ANY,
        "below the log start",
        Given::Trimmed,
        Expect::Error(Error::OffsetOutOfRange),
        |scene, version| Box::new(fetch(scene, 1, version)),
    ),
    FETCHES.case(ANY, "from the log start", Given::Trimmed, Expect::Success, |scene, version| {
        Box::new(fetch(scene, 2, version))
    }),
    FETCHES.case(
        ANY,
        "a negative offset",
        Given::Records,
        Expect::Error(Error::OffsetOutOfRange),
        |scene, version| Box::new(fetch(scene, -5, version)),
    ),
    FETCHES.case(
        (4, BY_ID_FROM - 1),
        "an unknown topic",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, version| Box::new(fetch(scene, 0, version)),
    ),
    FETCHES.case(
        (BY_ID_FROM, 18),
        "an unknown topic id",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicId),
        |scene, version| {
            let unknown = Scene { topic_id: NO_ID, ..scene.clone() };
            Box::new(fetch(&unknown, 0, version))
        },
    ),
    FETCHES.case(
        ANY,
        "an unknown partition",
        Given::Records,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, version| Box::new(of_partition(scene, 7, version)),
    ),
    FETCHES.case(
        (9, 18),
        "with a leader epoch that is not there yet",
        Given::Records,
        Expect::Error(Error::UnknownLeaderEpoch),
        |scene, version| {
            let partition = whole().with_current_leader_epoch(1_000_000);
            Box::new(fetch_of(scene, partition, version))
        },
    ),
    FETCHES.case((9, 18), "with the leader epoch", Given::Records, Expect::Success, |scene, version| {
        Box::new(fetch_of(scene, whole().with_current_leader_epoch(0), version))
    }),
    FETCHES.case(
        (12, 18),
        "with a last epoch that the log does not have",
        Given::Records,
        Expect::Compared,
        |scene, version| {
            let partition = whole().with_fetch_offset(3).with_last_fetched_epoch(1_000_000);
            Box::new(fetch_of(scene, partition, version))
        },
    ),
    FETCHES.case(
        (7, 18),
        "of a session that is not there",
        Given::Records,
        Expect::Error(Error::FetchSessionIdNotFound),
        |scene, version| {
            let request = fetch(scene, 0, version).with_session_id(4711);
            Box::new(request.with_session_epoch(1).with_topics(vec![]))
        },
    ),
    FETCHES.case((7, 18), "that begins a session", Given::Records, Expect::Success, |scene, version| {
        Box::new(fetch(scene, 0, version).with_session_epoch(0))
    }),
    FETCHES.case(ANY, "of at most one byte", Given::Records, Expect::Success, |scene, version| {
        Box::new(fetch_of(scene, whole().with_partition_max_bytes(1), version).with_max_bytes(1))
    }),
    FETCHES.case(ANY, "of what is committed", Given::InTransaction, Expect::Success, |scene, version| {
        Box::new(fetch(scene, 0, version).with_isolation_level(1))
    }),
    FETCHES.case(ANY, "of what is not committed", Given::InTransaction, Expect::Success, |scene, version| {
        Box::new(fetch(scene, 0, version).with_isolation_level(0))
    }),
];

fn whole() -> FetchPartition {
    FetchPartition::default().with_partition(0).with_fetch_offset(0).with_partition_max_bytes(1 << 20)
}

fn of_partition(scene: &Scene, partition: i32, version: i16) -> FetchRequest {
    fetch_of(scene, whole().with_partition(partition), version)
}
