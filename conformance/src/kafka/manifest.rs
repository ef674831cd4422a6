//! The APIs that clients need (P0) or that administrators and newer clients need (P1), as of Kafka 4.4. Every version of
//! them that the reference advertises is in a report, if only as *uncovered*.

use kafka_protocol::messages::ApiKey;

/// An API of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Api {
    /// API key.
    pub(super) key: ApiKey,
    /// `P0` or `P1`.
    pub(super) priority: &'static str,
}

const fn api(key: ApiKey, priority: &'static str) -> Api {
    Api { key, priority }
}

/// All of them, by key.
pub(super) const APIS: &[Api] = &[
    api(ApiKey::Produce, "P0"),
    api(ApiKey::Fetch, "P0"),
    api(ApiKey::ListOffsets, "P0"),
    api(ApiKey::Metadata, "P0"),
    api(ApiKey::OffsetCommit, "P0"),
    api(ApiKey::OffsetFetch, "P0"),
    api(ApiKey::FindCoordinator, "P0"),
    api(ApiKey::JoinGroup, "P0"),
    api(ApiKey::Heartbeat, "P0"),
    api(ApiKey::LeaveGroup, "P0"),
    api(ApiKey::SyncGroup, "P0"),
    api(ApiKey::DescribeGroups, "P1"),
    api(ApiKey::ListGroups, "P1"),
    api(ApiKey::SaslHandshake, "P0"),
    api(ApiKey::ApiVersions, "P0"),
    api(ApiKey::CreateTopics, "P0"),
    api(ApiKey::DeleteTopics, "P1"),
    api(ApiKey::DeleteRecords, "P1"),
    api(ApiKey::InitProducerId, "P0"),
    api(ApiKey::OffsetForLeaderEpoch, "P0"),
    api(ApiKey::AddPartitionsToTxn, "P0"),
    api(ApiKey::AddOffsetsToTxn, "P0"),
    api(ApiKey::EndTxn, "P0"),
    api(ApiKey::TxnOffsetCommit, "P0"),
    api(ApiKey::DescribeAcls, "P1"),
    api(ApiKey::CreateAcls, "P1"),
    api(ApiKey::DeleteAcls, "P1"),
    api(ApiKey::DescribeConfigs, "P0"),
    api(ApiKey::SaslAuthenticate, "P0"),
    api(ApiKey::CreatePartitions, "P1"),
    api(ApiKey::DeleteGroups, "P1"),
    api(ApiKey::IncrementalAlterConfigs, "P1"),
    api(ApiKey::DescribeCluster, "P0"),
    api(ApiKey::ConsumerGroupHeartbeat, "P1"),
    api(ApiKey::ConsumerGroupDescribe, "P1"),
];

/// Name of an API; its number for one that the stock codec does not know.
pub(super) fn name(key: i16) -> String {
    ApiKey::try_from(key).map_or_else(|()| format!("API {key}"), |known| format!("{known:?}"))
}

/// Priority of an API, `P2` for one outside the manifest.
pub(super) fn priority(key: ApiKey) -> &'static str {
    APIS.iter().find(|api| api.key == key).map_or("P2", |api| api.priority)
}
