//! Our messages against those of kafka-protocol, in every version that both know. It was generated
//! from Kafka 4.1 by other people: what both read and write alike is unlikely to be wrong in both.
//!
//! It allocates whatever a length field claims, so it is given valid bytes only.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, Message as Theirs};

use super::sample::sample;
use crate::codec::{Message, messages as ours};

/// Sampled messages per version.
const SEEDS: u64 = 16;

/// Sends samples through their codec and back into ours; returns how many versions were compared.
fn compare<O, T>() -> usize
where
    O: Message + PartialEq + std::fmt::Debug,
    T: Theirs + Decodable + Encodable,
{
    let versions = (*O::VERSIONS.start()).max(T::VERSIONS.min)..=(*O::VERSIONS.end()).min(T::VERSIONS.max);
    for version in versions.clone() {
        for seed in 0..SEEDS {
            let message: O = sample(version, seed);
            let bytes = message.to_bytes(version).unwrap();
            let mut sent = bytes.clone();
            let them = T::decode(&mut sent, version)
                .unwrap_or_else(|error| panic!("{} v{version} seed {seed}: {error} of {message:?}", O::NAME));
            assert!(
                sent.is_empty(),
                "{} v{version} seed {seed}: {} bytes left by {message:?}",
                O::NAME,
                sent.len()
            );
            let mut back = BytesMut::new();
            them.encode(&mut back, version).unwrap();
            let back: Bytes = back.freeze();
            assert_eq!(
                O::decode_exact(back.clone(), version),
                Ok(message),
                "{} v{version} seed {seed}",
                O::NAME
            );
            assert_eq!(back, bytes, "{} v{version} seed {seed}", O::NAME);
        }
    }
    versions.count()
}

macro_rules! compare_all {
    ($($message:ident)*) => { [$((stringify!($message), compare::<ours::$message, theirs::$message>())),*] };
}

#[test]
#[allow(clippy::too_many_lines, reason = "one line per message")]
fn messages_survive_the_way_through_an_independent_codec() {
    let compared = compare_all!(
        AddOffsetsToTxnRequest
        AddOffsetsToTxnResponse
        AddPartitionsToTxnRequest
        AddPartitionsToTxnResponse
        AddRaftVoterRequest
        AddRaftVoterResponse
        AlterClientQuotasRequest
        AlterClientQuotasResponse
        AlterConfigsRequest
        AlterConfigsResponse
        AlterPartitionReassignmentsRequest
        AlterPartitionReassignmentsResponse
        AlterReplicaLogDirsRequest
        AlterReplicaLogDirsResponse
        AlterShareGroupOffsetsRequest
        AlterShareGroupOffsetsResponse
        AlterUserScramCredentialsRequest
        AlterUserScramCredentialsResponse
        ApiVersionsRequest
        ApiVersionsResponse
        ConsumerGroupDescribeRequest
        ConsumerGroupDescribeResponse
        ConsumerGroupHeartbeatRequest
        ConsumerGroupHeartbeatResponse
        ConsumerProtocolAssignment
        ConsumerProtocolSubscription
        CreateAclsRequest
        CreateAclsResponse
        CreateDelegationTokenRequest
        CreateDelegationTokenResponse
        CreatePartitionsRequest
        CreatePartitionsResponse
        CreateTopicsRequest
        CreateTopicsResponse
        DeleteAclsRequest
        DeleteAclsResponse
        DeleteGroupsRequest
        DeleteGroupsResponse
        DeleteRecordsRequest
        DeleteRecordsResponse
        DeleteShareGroupOffsetsRequest
        DeleteShareGroupOffsetsResponse
        DeleteTopicsRequest
        DeleteTopicsResponse
        DescribeAclsRequest
        DescribeAclsResponse
        DescribeClientQuotasRequest
        DescribeClientQuotasResponse
        DescribeClusterRequest
        DescribeClusterResponse
        DescribeConfigsRequest
        DescribeConfigsResponse
        DescribeDelegationTokenRequest
        DescribeDelegationTokenResponse
        DescribeGroupsRequest
        DescribeGroupsResponse
        DescribeLogDirsRequest
        DescribeLogDirsResponse
        DescribeProducersRequest
        DescribeProducersResponse
        DescribeQuorumRequest
        DescribeQuorumResponse
        DescribeShareGroupOffsetsRequest
        DescribeShareGroupOffsetsResponse
        DescribeTopicPartitionsRequest
        DescribeTopicPartitionsResponse
        DescribeTransactionsRequest
        DescribeTransactionsResponse
        DescribeUserScramCredentialsRequest
        DescribeUserScramCredentialsResponse
        ElectLeadersRequest
        ElectLeadersResponse
        EndTxnMarker
        EndTxnRequest
        EndTxnResponse
        ExpireDelegationTokenRequest
        ExpireDelegationTokenResponse
        FetchRequest
        FetchResponse
        FindCoordinatorRequest
        FindCoordinatorResponse
        GetTelemetrySubscriptionsRequest
        GetTelemetrySubscriptionsResponse
        HeartbeatRequest
        HeartbeatResponse
        IncrementalAlterConfigsRequest
        IncrementalAlterConfigsResponse
        InitProducerIdRequest
        InitProducerIdResponse
        JoinGroupRequest
        JoinGroupResponse
        LeaveGroupRequest
        LeaveGroupResponse
        ListConfigResourcesRequest
        ListConfigResourcesResponse
        ListGroupsRequest
        ListGroupsResponse
        ListOffsetsRequest
        ListOffsetsResponse
        ListPartitionReassignmentsRequest
        ListPartitionReassignmentsResponse
        ListTransactionsRequest
        ListTransactionsResponse
        MetadataRequest
        MetadataResponse
        OffsetCommitRequest
        OffsetCommitResponse
        OffsetDeleteRequest
        OffsetDeleteResponse
        OffsetFetchRequest
        OffsetFetchResponse
        OffsetForLeaderEpochRequest
        OffsetForLeaderEpochResponse
        ProduceRequest
        ProduceResponse
        PushTelemetryRequest
        PushTelemetryResponse
        RemoveRaftVoterRequest
        RemoveRaftVoterResponse
        RenewDelegationTokenRequest
        RenewDelegationTokenResponse
        RequestHeader
        ResponseHeader
        SaslAuthenticateRequest
        SaslAuthenticateResponse
        SaslHandshakeRequest
        SaslHandshakeResponse
        ShareAcknowledgeRequest
        ShareAcknowledgeResponse
        ShareFetchRequest
        ShareFetchResponse
        ShareGroupDescribeRequest
        ShareGroupDescribeResponse
        ShareGroupHeartbeatRequest
        ShareGroupHeartbeatResponse
        SyncGroupRequest
        SyncGroupResponse
        TxnOffsetCommitRequest
        TxnOffsetCommitResponse
        UnregisterBrokerRequest
        UnregisterBrokerResponse
        UpdateFeaturesRequest
        UpdateFeaturesResponse
        WriteTxnMarkersRequest
        WriteTxnMarkersResponse
    );
    for (message, versions) in compared {
        assert!(versions > 0, "{message} has no version in common");
    }
    println!("{} versions of {} messages", compared.iter().map(|(_, n)| n).sum::<usize>(), compared.len());
}
