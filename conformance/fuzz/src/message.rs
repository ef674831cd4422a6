//! Any message in any version: bodies of requests and responses, headers, records of Kafka's own topics.
//!
//! The input's first two bytes choose the message and its version; the rest is its body.

use bytes::Bytes;
use translator_kafka::codec::Message;
use translator_kafka::codec::messages::*;

/// What is done with the bytes of one message.
struct Kind {
    /// First and last version.
    versions: (i16, i16),
    /// Decodes the bytes; what decodes must encode, and its encoding must be stable.
    check: fn(Bytes, i16),
    /// The default in this version, where it can be encoded.
    seed: fn(i16) -> Option<Bytes>,
}

const fn kind<M: Message>() -> Kind {
    Kind { versions: (*M::VERSIONS.start(), *M::VERSIONS.end()), check: check::<M>, seed: seed::<M> }
}

fn check<M: Message>(bytes: Bytes, version: i16) {
    let Ok(once) = M::decode_exact(bytes, version) else { return };
    let encoded = once.to_bytes(version).unwrap_or_else(|error| panic!("{} v{version}: {error}", M::NAME));
    let twice = M::decode_exact(encoded.clone(), version).map(|twice| twice.to_bytes(version));
    assert_eq!(twice, Ok(Ok(encoded)), "{} v{version}", M::NAME);
}

fn seed<M: Message>(version: i16) -> Option<Bytes> {
    // A body of zeros decodes for nearly every message; its encoding is a message that has every field.
    (0..256).find_map(|length| {
        M::decode_exact(Bytes::from(vec![0; length]), version).ok()?.to_bytes(version).ok()
    })
}

/// One input for each message and version that zeros decode to.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, kind) in (0_u8..).zip(&KINDS) {
        for (place, version) in (0_u8..).zip(kind.versions.0..=kind.versions.1) {
            if let Some(body) = (kind.seed)(version) {
                seeds.push([&[index, place][..], &body].concat());
            }
        }
    }
    seeds
}

pub(crate) fn run(input: &[u8]) {
    let Some((&[index, place], body)) = input.split_first_chunk::<2>() else { return };
    let Some(kind) = KINDS.get(usize::from(index) % KINDS.len()) else { return };
    let count =
        i16::try_from(i32::from(kind.versions.1) - i32::from(kind.versions.0) + 1).unwrap_or(1).max(1);
    let version = kind.versions.0 + i16::from(place) % count;
    (kind.check)(Bytes::copy_from_slice(body), version);
}

const KINDS: [Kind; 162] = [
    kind::<AddOffsetsToTxnRequest>(),
    kind::<AddOffsetsToTxnResponse>(),
    kind::<AddPartitionsToTxnRequest>(),
    kind::<AddPartitionsToTxnResponse>(),
    kind::<AddRaftVoterRequest>(),
    kind::<AddRaftVoterResponse>(),
    kind::<AlterClientQuotasRequest>(),
    kind::<AlterClientQuotasResponse>(),
    kind::<AlterConfigsRequest>(),
    kind::<AlterConfigsResponse>(),
    kind::<AlterPartitionReassignmentsRequest>(),
    kind::<AlterPartitionReassignmentsResponse>(),
    kind::<AlterReplicaLogDirsRequest>(),
    kind::<AlterReplicaLogDirsResponse>(),
    kind::<AlterShareGroupOffsetsRequest>(),
    kind::<AlterShareGroupOffsetsResponse>(),
    kind::<AlterUserScramCredentialsRequest>(),
    kind::<AlterUserScramCredentialsResponse>(),
    kind::<ApiVersionsRequest>(),
    kind::<ApiVersionsResponse>(),
    kind::<ConsumerGroupDescribeRequest>(),
    kind::<ConsumerGroupDescribeResponse>(),
    kind::<ConsumerGroupHeartbeatRequest>(),
    kind::<ConsumerGroupHeartbeatResponse>(),
    kind::<ConsumerProtocolAssignment>(),
    kind::<ConsumerProtocolSubscription>(),
    kind::<ControlRecordTypeSchema>(),
    kind::<CreateAclsRequest>(),
    kind::<CreateAclsResponse>(),
    kind::<CreateDelegationTokenRequest>(),
    kind::<CreateDelegationTokenResponse>(),
    kind::<CreatePartitionsRequest>(),
    kind::<CreatePartitionsResponse>(),
    kind::<CreateTopicsRequest>(),
    kind::<CreateTopicsResponse>(),
    kind::<DeleteAclsRequest>(),
    kind::<DeleteAclsResponse>(),
    kind::<DeleteGroupsRequest>(),
    kind::<DeleteGroupsResponse>(),
    kind::<DeleteRecordsRequest>(),
    kind::<DeleteRecordsResponse>(),
    kind::<DeleteShareGroupOffsetsRequest>(),
    kind::<DeleteShareGroupOffsetsResponse>(),
    kind::<DeleteTopicsRequest>(),
    kind::<DeleteTopicsResponse>(),
    kind::<DescribeAclsRequest>(),
    kind::<DescribeAclsResponse>(),
    kind::<DescribeClientQuotasRequest>(),
    kind::<DescribeClientQuotasResponse>(),
    kind::<DescribeClusterRequest>(),
    kind::<DescribeClusterResponse>(),
    kind::<DescribeConfigsRequest>(),
    kind::<DescribeConfigsResponse>(),
    kind::<DescribeDelegationTokenRequest>(),
    kind::<DescribeDelegationTokenResponse>(),
    kind::<DescribeGroupsRequest>(),
    kind::<DescribeGroupsResponse>(),
    kind::<DescribeLogDirsRequest>(),
    kind::<DescribeLogDirsResponse>(),
    kind::<DescribeProducersRequest>(),
    kind::<DescribeProducersResponse>(),
    kind::<DescribeQuorumRequest>(),
    kind::<DescribeQuorumResponse>(),
    kind::<DescribeShareGroupOffsetsRequest>(),
    kind::<DescribeShareGroupOffsetsResponse>(),
    kind::<DescribeTopicPartitionsRequest>(),
    kind::<DescribeTopicPartitionsResponse>(),
    kind::<DescribeTransactionsRequest>(),
    kind::<DescribeTransactionsResponse>(),
    kind::<DescribeUserScramCredentialsRequest>(),
    kind::<DescribeUserScramCredentialsResponse>(),
    kind::<ElectLeadersRequest>(),
    kind::<ElectLeadersResponse>(),
    kind::<EndTxnMarker>(),
    kind::<EndTxnRequest>(),
    kind::<EndTxnResponse>(),
    kind::<ExpireDelegationTokenRequest>(),
    kind::<ExpireDelegationTokenResponse>(),
    kind::<FetchRequest>(),
    kind::<FetchResponse>(),
    kind::<FindCoordinatorRequest>(),
    kind::<FindCoordinatorResponse>(),
    kind::<GetTelemetrySubscriptionsRequest>(),
    kind::<GetTelemetrySubscriptionsResponse>(),
    kind::<GroupMetadataKey>(),
    kind::<GroupMetadataValue>(),
    kind::<HeartbeatRequest>(),
    kind::<HeartbeatResponse>(),
    kind::<IncrementalAlterConfigsRequest>(),
    kind::<IncrementalAlterConfigsResponse>(),
    kind::<InitProducerIdRequest>(),
    kind::<InitProducerIdResponse>(),
    kind::<JoinGroupRequest>(),
    kind::<JoinGroupResponse>(),
    kind::<LeaveGroupRequest>(),
    kind::<LeaveGroupResponse>(),
    kind::<LegacyOffsetCommitKey>(),
    kind::<LegacyOffsetCommitValue>(),
    kind::<ListConfigResourcesRequest>(),
    kind::<ListConfigResourcesResponse>(),
    kind::<ListGroupsRequest>(),
    kind::<ListGroupsResponse>(),
    kind::<ListOffsetsRequest>(),
    kind::<ListOffsetsResponse>(),
    kind::<ListPartitionReassignmentsRequest>(),
    kind::<ListPartitionReassignmentsResponse>(),
    kind::<ListTransactionsRequest>(),
    kind::<ListTransactionsResponse>(),
    kind::<MetadataRequest>(),
    kind::<MetadataResponse>(),
    kind::<OffsetCommitKey>(),
    kind::<OffsetCommitRequest>(),
    kind::<OffsetCommitResponse>(),
    kind::<OffsetCommitValue>(),
    kind::<OffsetDeleteRequest>(),
    kind::<OffsetDeleteResponse>(),
    kind::<OffsetFetchRequest>(),
    kind::<OffsetFetchResponse>(),
    kind::<OffsetForLeaderEpochRequest>(),
    kind::<OffsetForLeaderEpochResponse>(),
    kind::<ProduceRequest>(),
    kind::<ProduceResponse>(),
    kind::<PushTelemetryRequest>(),
    kind::<PushTelemetryResponse>(),
    kind::<RemoveRaftVoterRequest>(),
    kind::<RemoveRaftVoterResponse>(),
    kind::<RenewDelegationTokenRequest>(),
    kind::<RenewDelegationTokenResponse>(),
    kind::<RequestHeader>(),
    kind::<ResponseHeader>(),
    kind::<SaslAuthenticateRequest>(),
    kind::<SaslAuthenticateResponse>(),
    kind::<SaslHandshakeRequest>(),
    kind::<SaslHandshakeResponse>(),
    kind::<ShareAcknowledgeRequest>(),
    kind::<ShareAcknowledgeResponse>(),
    kind::<ShareFetchRequest>(),
    kind::<ShareFetchResponse>(),
    kind::<ShareGroupDescribeRequest>(),
    kind::<ShareGroupDescribeResponse>(),
    kind::<ShareGroupHeartbeatRequest>(),
    kind::<ShareGroupHeartbeatResponse>(),
    kind::<StreamsGroupDescribeRequest>(),
    kind::<StreamsGroupDescribeResponse>(),
    kind::<StreamsGroupHeartbeatRequest>(),
    kind::<StreamsGroupHeartbeatResponse>(),
    kind::<StreamsGroupTopologyDescriptionUpdateRequest>(),
    kind::<StreamsGroupTopologyDescriptionUpdateResponse>(),
    kind::<SyncGroupRequest>(),
    kind::<SyncGroupResponse>(),
    kind::<TransactionLogKey>(),
    kind::<TransactionLogValue>(),
    kind::<TxnOffsetCommitRequest>(),
    kind::<TxnOffsetCommitResponse>(),
    kind::<UnregisterBrokerRequest>(),
    kind::<UnregisterBrokerResponse>(),
    kind::<UnregisterControllerRequest>(),
    kind::<UnregisterControllerResponse>(),
    kind::<UpdateFeaturesRequest>(),
    kind::<UpdateFeaturesResponse>(),
    kind::<WriteTxnMarkersRequest>(),
    kind::<WriteTxnMarkersResponse>(),
];
