//! Which APIs are served, in which versions, and how that is said.

use std::ops::RangeInclusive;

use super::operation::{Begin, Cx, Head};
use crate::codec::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use crate::codec::messages::{ApiVersionsRequest, ApiVersionsResponse};
use crate::codec::{ApiKey, Message};
use crate::errors::ErrorCode;

/// Every API that the kernel serves, ascending. Share and streams groups, telemetry and
/// delegation tokens are not among them. Those of `TRANSACTIONAL` are served by a kernel that stands
/// alone.
pub const SERVED: [ApiKey; 48] = [
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::InitProducerId,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::EndTxn,
    ApiKey::WriteTxnMarkers,
    ApiKey::TxnOffsetCommit,
    ApiKey::DescribeAcls,
    ApiKey::CreateAcls,
    ApiKey::DeleteAcls,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::DescribeLogDirs,
    ApiKey::CreatePartitions,
    ApiKey::DeleteGroups,
    ApiKey::ElectLeaders,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::ListPartitionReassignments,
    ApiKey::OffsetDelete,
    ApiKey::DescribeClientQuotas,
    ApiKey::AlterClientQuotas,
    ApiKey::DescribeUserScramCredentials,
    ApiKey::AlterUserScramCredentials,
    ApiKey::DescribeCluster,
    ApiKey::DescribeProducers,
    ApiKey::DescribeTransactions,
    ApiKey::ListTransactions,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::ConsumerGroupDescribe,
    ApiKey::ListConfigResources,
    ApiKey::DescribeTopicPartitions,
];

/// The versions that are served of an API, if any. Those still unstable in Kafka are not.
#[must_use]
pub fn served(api: ApiKey) -> Option<RangeInclusive<i16>> {
    let spec = api.spec();
    SERVED.contains(&api).then_some(spec.version_min..=spec.version_stable_max)
}

/// The APIs among them that are about transactions alone.
const TRANSACTIONAL: [ApiKey; 7] = [
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::EndTxn,
    ApiKey::WriteTxnMarkers,
    ApiKey::TxnOffsetCommit,
    ApiKey::DescribeTransactions,
    ApiKey::ListTransactions,
];

/// The feature by which clients know how transactions work, and the levels of it.
const TRANSACTION_VERSION: &str = "transaction.version";
const TRANSACTION_VERSION_MAX: i16 = 2;
/// The same for the consumer protocol of groups.
const GROUP_VERSION: &str = "group.version";
const GROUP_VERSION_MAX: i16 = 1;
/// Clients take an older set of features for stale; ours never changes.
const FEATURES_EPOCH: i64 = 0;

/// What clients need to log in: they do not try where it is not offered. The first version of the handshake is followed
/// by tokens without Kafka's framing.
const LOGINS: [ApiVersion; 2] = [login(ApiKey::SaslHandshake, 1, 1), login(ApiKey::SaslAuthenticate, 0, 2)];

const fn login(api: ApiKey, min_version: i16, max_version: i16) -> ApiVersion {
    ApiVersion { api_key: api.code(), min_version, max_version, unknown_tagged: Vec::new() }
}

/// The same for a server with or without transactions.
pub(super) fn offered(api: ApiKey, transactions: bool) -> Option<RangeInclusive<i16>> {
    served(api).filter(|_| transactions || !TRANSACTIONAL.contains(&api))
}

/// The versions that are said to be served.
fn advertised(api: ApiKey, transactions: bool) -> Option<ApiVersion> {
    let versions = offered(api, transactions)?;
    // librdkafka sends no compressed batches to brokers that do not name Produce version 0, which no broker
    // takes any more (KAFKA-18659).
    let min_version = if api == ApiKey::Produce { 0 } else { *versions.start() };
    Some(ApiVersion {
        api_key: api.code(),
        min_version,
        max_version: *versions.end(),
        ..ApiVersion::default()
    })
}

fn response(transactions: bool) -> ApiVersionsResponse {
    let api_keys = SERVED.iter().copied().filter_map(|api| advertised(api, transactions)).collect();
    let features = [(GROUP_VERSION, GROUP_VERSION_MAX)].into_iter();
    let features = features.chain(transactions.then_some((TRANSACTION_VERSION, TRANSACTION_VERSION_MAX)));
    let mut response =
        ApiVersionsResponse { api_keys, finalized_features_epoch: FEATURES_EPOCH, ..Default::default() };
    for (name, level) in features {
        response.supported_features.push(SupportedFeatureKey {
            name: name.into(),
            min_version: 0,
            max_version: level,
            ..Default::default()
        });
        response.finalized_features.push(FinalizedFeatureKey {
            name: name.into(),
            max_version_level: level,
            min_version_level: level,
            ..Default::default()
        });
    }
    response
}

/// Answers ApiVersions.
pub(super) fn start(cx: &Cx<'_>, head: &Head, request: &ApiVersionsRequest) -> Begin {
    let mut answer = response(cx.settings.transactions);
    if cx.logins {
        answer.api_keys.extend(LOGINS);
        answer.api_keys.sort_by_key(|offered| offered.api_key);
    }
    if head.version >= 3
        && !(is_software(&request.client_software_name) && is_software(&request.client_software_version))
    {
        answer = ApiVersionsResponse { error_code: ErrorCode::InvalidRequest.code(), ..Default::default() };
    }
    if let Some(code) = misdirected(cx, request) {
        answer = ApiVersionsResponse { error_code: code.code(), ..Default::default() };
    }
    Begin::Done(head.respond(&answer))
}

/// Why the client should not have come here, going by the cluster and node that it says it looks for. It names both or none.
fn misdirected(cx: &Cx<'_>, request: &ApiVersionsRequest) -> Option<ErrorCode> {
    match &request.cluster_id {
        None if request.node_id < 0 => None,
        Some(id) if request.node_id >= 0 => {
            let here = *id == cx.cluster_id() && request.node_id == cx.cluster.own;
            (!here).then_some(ErrorCode::RebootstrapRequired)
        }
        _ => Some(ErrorCode::InvalidRequest),
    }
}

/// Answers a version of ApiVersions that does not exist: in the form of version 0, with the versions that
/// do.
pub(super) fn unknown_version(head: &Head) -> Begin {
    let answer = ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: advertised(ApiKey::ApiVersions, false).into_iter().collect(),
        ..Default::default()
    };
    Begin::Done(Head { version: *ApiVersionsResponse::VERSIONS.start(), ..head.clone() }.respond(&answer))
}

/// Names of software are letters, digits, dots and dashes, and begin and end with the former.
fn is_software(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte))
}
