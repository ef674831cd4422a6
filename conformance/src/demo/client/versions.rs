//! Which versions of which APIs this client speaks.

use kafka_protocol::messages::ApiKey;

/// Oldest and newest version spoken of an API, `None` for one that is not used. The oldest ones are those that
/// Kafka 3.x brokers know; newer ones are used where the broker has them.
pub(super) fn spoken(key: i16) -> Option<(i16, i16)> {
    let versions = [
        (ApiKey::Produce, (8, 12)),
        (ApiKey::Fetch, (11, 17)),
        (ApiKey::ListOffsets, (4, 8)),
        (ApiKey::Metadata, (9, 12)),
        (ApiKey::OffsetCommit, (7, 9)),
        (ApiKey::OffsetFetch, (6, 9)),
        (ApiKey::FindCoordinator, (2, 4)),
        (ApiKey::JoinGroup, (5, 9)),
        (ApiKey::Heartbeat, (3, 4)),
        (ApiKey::LeaveGroup, (3, 5)),
        (ApiKey::SyncGroup, (3, 5)),
        (ApiKey::CreateTopics, (5, 7)),
        (ApiKey::DeleteRecords, (1, 2)),
        (ApiKey::InitProducerId, (2, 5)),
        (ApiKey::OffsetForLeaderEpoch, (3, 4)),
    ];
    versions.into_iter().find(|(api, _)| *api as i16 == key).map(|(_, versions)| versions)
}
