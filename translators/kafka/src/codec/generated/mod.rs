//! Kafka's messages, one module each. Written by `generator/generate.py`; do not edit.

#![allow(clippy::too_many_lines, reason = "a message has as many fields as Kafka gives it")]

#[cfg(test)]
use super::tests::Codec;

pub mod add_offsets_to_txn_request;
pub mod add_offsets_to_txn_response;
pub mod add_partitions_to_txn_request;
pub mod add_partitions_to_txn_response;
pub mod add_raft_voter_request;
pub mod add_raft_voter_response;
pub mod alter_client_quotas_request;
pub mod alter_client_quotas_response;
pub mod alter_configs_request;
pub mod alter_configs_response;
pub mod alter_partition_reassignments_request;
pub mod alter_partition_reassignments_response;
pub mod alter_replica_log_dirs_request;
pub mod alter_replica_log_dirs_response;
pub mod alter_share_group_offsets_request;
pub mod alter_share_group_offsets_response;
pub mod alter_user_scram_credentials_request;
pub mod alter_user_scram_credentials_response;
pub(super) mod api_key;
pub mod api_versions_request;
pub mod api_versions_response;
pub mod consumer_group_current_member_assignment_key;
pub mod consumer_group_current_member_assignment_value;
pub mod consumer_group_describe_request;
pub mod consumer_group_describe_response;
pub mod consumer_group_heartbeat_request;
pub mod consumer_group_heartbeat_response;
pub mod consumer_group_member_metadata_key;
pub mod consumer_group_member_metadata_value;
pub mod consumer_group_metadata_key;
pub mod consumer_group_metadata_value;
pub mod consumer_group_regular_expression_key;
pub mod consumer_group_regular_expression_value;
pub mod consumer_group_target_assignment_member_key;
pub mod consumer_group_target_assignment_member_value;
pub mod consumer_group_target_assignment_metadata_key;
pub mod consumer_group_target_assignment_metadata_value;
pub mod consumer_protocol_assignment;
pub mod consumer_protocol_subscription;
pub mod control_record_type_schema;
pub mod create_acls_request;
pub mod create_acls_response;
pub mod create_delegation_token_request;
pub mod create_delegation_token_response;
pub mod create_partitions_request;
pub mod create_partitions_response;
pub mod create_topics_request;
pub mod create_topics_response;
pub mod delete_acls_request;
pub mod delete_acls_response;
pub mod delete_groups_request;
pub mod delete_groups_response;
pub mod delete_records_request;
pub mod delete_records_response;
pub mod delete_share_group_offsets_request;
pub mod delete_share_group_offsets_response;
pub mod delete_topics_request;
pub mod delete_topics_response;
pub mod describe_acls_request;
pub mod describe_acls_response;
pub mod describe_client_quotas_request;
pub mod describe_client_quotas_response;
pub mod describe_cluster_request;
pub mod describe_cluster_response;
pub mod describe_configs_request;
pub mod describe_configs_response;
pub mod describe_delegation_token_request;
pub mod describe_delegation_token_response;
pub mod describe_groups_request;
pub mod describe_groups_response;
pub mod describe_log_dirs_request;
pub mod describe_log_dirs_response;
pub mod describe_producers_request;
pub mod describe_producers_response;
pub mod describe_quorum_request;
pub mod describe_quorum_response;
pub mod describe_share_group_offsets_request;
pub mod describe_share_group_offsets_response;
pub mod describe_topic_partitions_request;
pub mod describe_topic_partitions_response;
pub mod describe_transactions_request;
pub mod describe_transactions_response;
pub mod describe_user_scram_credentials_request;
pub mod describe_user_scram_credentials_response;
pub mod elect_leaders_request;
pub mod elect_leaders_response;
pub mod end_txn_marker;
pub mod end_txn_request;
pub mod end_txn_response;
pub mod expire_delegation_token_request;
pub mod expire_delegation_token_response;
pub mod fetch_request;
pub mod fetch_response;
pub mod find_coordinator_request;
pub mod find_coordinator_response;
pub mod get_telemetry_subscriptions_request;
pub mod get_telemetry_subscriptions_response;
pub mod group_metadata_key;
pub mod group_metadata_value;
pub mod heartbeat_request;
pub mod heartbeat_response;
pub mod incremental_alter_configs_request;
pub mod incremental_alter_configs_response;
pub mod init_producer_id_request;
pub mod init_producer_id_response;
pub mod join_group_request;
pub mod join_group_response;
pub mod leave_group_request;
pub mod leave_group_response;
pub mod legacy_offset_commit_key;
pub mod legacy_offset_commit_value;
pub mod list_config_resources_request;
pub mod list_config_resources_response;
pub mod list_groups_request;
pub mod list_groups_response;
pub mod list_offsets_request;
pub mod list_offsets_response;
pub mod list_partition_reassignments_request;
pub mod list_partition_reassignments_response;
pub mod list_transactions_request;
pub mod list_transactions_response;
pub mod metadata_request;
pub mod metadata_response;
pub mod offset_commit_key;
pub mod offset_commit_request;
pub mod offset_commit_response;
pub mod offset_commit_value;
pub mod offset_delete_request;
pub mod offset_delete_response;
pub mod offset_fetch_request;
pub mod offset_fetch_response;
pub mod offset_for_leader_epoch_request;
pub mod offset_for_leader_epoch_response;
pub mod produce_request;
pub mod produce_response;
pub mod push_telemetry_request;
pub mod push_telemetry_response;
pub mod remove_raft_voter_request;
pub mod remove_raft_voter_response;
pub mod renew_delegation_token_request;
pub mod renew_delegation_token_response;
pub mod request_header;
pub mod response_header;
pub mod sasl_authenticate_request;
pub mod sasl_authenticate_response;
pub mod sasl_handshake_request;
pub mod sasl_handshake_response;
pub mod share_acknowledge_request;
pub mod share_acknowledge_response;
pub mod share_fetch_request;
pub mod share_fetch_response;
pub mod share_group_describe_request;
pub mod share_group_describe_response;
pub mod share_group_heartbeat_request;
pub mod share_group_heartbeat_response;
pub mod streams_group_describe_request;
pub mod streams_group_describe_response;
pub mod streams_group_heartbeat_request;
pub mod streams_group_heartbeat_response;
pub mod streams_group_topology_description_update_request;
pub mod streams_group_topology_description_update_response;
pub mod sync_group_request;
pub mod sync_group_response;
pub mod transaction_log_key;
pub mod transaction_log_value;
pub mod txn_offset_commit_request;
pub mod txn_offset_commit_response;
pub mod unregister_broker_request;
pub mod unregister_broker_response;
pub mod unregister_controller_request;
pub mod unregister_controller_response;
pub mod update_features_request;
pub mod update_features_response;
pub mod write_txn_markers_request;
pub mod write_txn_markers_response;

pub use add_offsets_to_txn_request::AddOffsetsToTxnRequest;
pub use add_offsets_to_txn_response::AddOffsetsToTxnResponse;
pub use add_partitions_to_txn_request::AddPartitionsToTxnRequest;
pub use add_partitions_to_txn_response::AddPartitionsToTxnResponse;
pub use add_raft_voter_request::AddRaftVoterRequest;
pub use add_raft_voter_response::AddRaftVoterResponse;
pub use alter_client_quotas_request::AlterClientQuotasRequest;
pub use alter_client_quotas_response::AlterClientQuotasResponse;
pub use alter_configs_request::AlterConfigsRequest;
pub use alter_configs_response::AlterConfigsResponse;
pub use alter_partition_reassignments_request::AlterPartitionReassignmentsRequest;
pub use alter_partition_reassignments_response::AlterPartitionReassignmentsResponse;
pub use alter_replica_log_dirs_request::AlterReplicaLogDirsRequest;
pub use alter_replica_log_dirs_response::AlterReplicaLogDirsResponse;
pub use alter_share_group_offsets_request::AlterShareGroupOffsetsRequest;
pub use alter_share_group_offsets_response::AlterShareGroupOffsetsResponse;
pub use alter_user_scram_credentials_request::AlterUserScramCredentialsRequest;
pub use alter_user_scram_credentials_response::AlterUserScramCredentialsResponse;
pub use api_versions_request::ApiVersionsRequest;
pub use api_versions_response::ApiVersionsResponse;
pub use consumer_group_current_member_assignment_key::ConsumerGroupCurrentMemberAssignmentKey;
pub use consumer_group_current_member_assignment_value::ConsumerGroupCurrentMemberAssignmentValue;
pub use consumer_group_describe_request::ConsumerGroupDescribeRequest;
pub use consumer_group_describe_response::ConsumerGroupDescribeResponse;
pub use consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest;
pub use consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse;
pub use consumer_group_member_metadata_key::ConsumerGroupMemberMetadataKey;
pub use consumer_group_member_metadata_value::ConsumerGroupMemberMetadataValue;
pub use consumer_group_metadata_key::ConsumerGroupMetadataKey;
pub use consumer_group_metadata_value::ConsumerGroupMetadataValue;
pub use consumer_group_regular_expression_key::ConsumerGroupRegularExpressionKey;
pub use consumer_group_regular_expression_value::ConsumerGroupRegularExpressionValue;
pub use consumer_group_target_assignment_member_key::ConsumerGroupTargetAssignmentMemberKey;
pub use consumer_group_target_assignment_member_value::ConsumerGroupTargetAssignmentMemberValue;
pub use consumer_group_target_assignment_metadata_key::ConsumerGroupTargetAssignmentMetadataKey;
pub use consumer_group_target_assignment_metadata_value::ConsumerGroupTargetAssignmentMetadataValue;
pub use consumer_protocol_assignment::ConsumerProtocolAssignment;
pub use consumer_protocol_subscription::ConsumerProtocolSubscription;
pub use control_record_type_schema::ControlRecordTypeSchema;
pub use create_acls_request::CreateAclsRequest;
pub use create_acls_response::CreateAclsResponse;
pub use create_delegation_token_request::CreateDelegationTokenRequest;
pub use create_delegation_token_response::CreateDelegationTokenResponse;
pub use create_partitions_request::CreatePartitionsRequest;
pub use create_partitions_response::CreatePartitionsResponse;
pub use create_topics_request::CreateTopicsRequest;
pub use create_topics_response::CreateTopicsResponse;
pub use delete_acls_request::DeleteAclsRequest;
pub use delete_acls_response::DeleteAclsResponse;
pub use delete_groups_request::DeleteGroupsRequest;
pub use delete_groups_response::DeleteGroupsResponse;
pub use delete_records_request::DeleteRecordsRequest;
pub use delete_records_response::DeleteRecordsResponse;
pub use delete_share_group_offsets_request::DeleteShareGroupOffsetsRequest;
pub use delete_share_group_offsets_response::DeleteShareGroupOffsetsResponse;
pub use delete_topics_request::DeleteTopicsRequest;
pub use delete_topics_response::DeleteTopicsResponse;
pub use describe_acls_request::DescribeAclsRequest;
pub use describe_acls_response::DescribeAclsResponse;
pub use describe_client_quotas_request::DescribeClientQuotasRequest;
pub use describe_client_quotas_response::DescribeClientQuotasResponse;
pub use describe_cluster_request::DescribeClusterRequest;
pub use describe_cluster_response::DescribeClusterResponse;
pub use describe_configs_request::DescribeConfigsRequest;
pub use describe_configs_response::DescribeConfigsResponse;
pub use describe_delegation_token_request::DescribeDelegationTokenRequest;
pub use describe_delegation_token_response::DescribeDelegationTokenResponse;
pub use describe_groups_request::DescribeGroupsRequest;
pub use describe_groups_response::DescribeGroupsResponse;
pub use describe_log_dirs_request::DescribeLogDirsRequest;
pub use describe_log_dirs_response::DescribeLogDirsResponse;
pub use describe_producers_request::DescribeProducersRequest;
pub use describe_producers_response::DescribeProducersResponse;
pub use describe_quorum_request::DescribeQuorumRequest;
pub use describe_quorum_response::DescribeQuorumResponse;
pub use describe_share_group_offsets_request::DescribeShareGroupOffsetsRequest;
pub use describe_share_group_offsets_response::DescribeShareGroupOffsetsResponse;
pub use describe_topic_partitions_request::DescribeTopicPartitionsRequest;
pub use describe_topic_partitions_response::DescribeTopicPartitionsResponse;
pub use describe_transactions_request::DescribeTransactionsRequest;
pub use describe_transactions_response::DescribeTransactionsResponse;
pub use describe_user_scram_credentials_request::DescribeUserScramCredentialsRequest;
pub use describe_user_scram_credentials_response::DescribeUserScramCredentialsResponse;
pub use elect_leaders_request::ElectLeadersRequest;
pub use elect_leaders_response::ElectLeadersResponse;
pub use end_txn_marker::EndTxnMarker;
pub use end_txn_request::EndTxnRequest;
pub use end_txn_response::EndTxnResponse;
pub use expire_delegation_token_request::ExpireDelegationTokenRequest;
pub use expire_delegation_token_response::ExpireDelegationTokenResponse;
pub use fetch_request::FetchRequest;
pub use fetch_response::FetchResponse;
pub use find_coordinator_request::FindCoordinatorRequest;
pub use find_coordinator_response::FindCoordinatorResponse;
pub use get_telemetry_subscriptions_request::GetTelemetrySubscriptionsRequest;
pub use get_telemetry_subscriptions_response::GetTelemetrySubscriptionsResponse;
pub use group_metadata_key::GroupMetadataKey;
pub use group_metadata_value::GroupMetadataValue;
pub use heartbeat_request::HeartbeatRequest;
pub use heartbeat_response::HeartbeatResponse;
pub use incremental_alter_configs_request::IncrementalAlterConfigsRequest;
pub use incremental_alter_configs_response::IncrementalAlterConfigsResponse;
pub use init_producer_id_request::InitProducerIdRequest;
pub use init_producer_id_response::InitProducerIdResponse;
pub use join_group_request::JoinGroupRequest;
pub use join_group_response::JoinGroupResponse;
pub use leave_group_request::LeaveGroupRequest;
pub use leave_group_response::LeaveGroupResponse;
pub use legacy_offset_commit_key::LegacyOffsetCommitKey;
pub use legacy_offset_commit_value::LegacyOffsetCommitValue;
pub use list_config_resources_request::ListConfigResourcesRequest;
pub use list_config_resources_response::ListConfigResourcesResponse;
pub use list_groups_request::ListGroupsRequest;
pub use list_groups_response::ListGroupsResponse;
pub use list_offsets_request::ListOffsetsRequest;
pub use list_offsets_response::ListOffsetsResponse;
pub use list_partition_reassignments_request::ListPartitionReassignmentsRequest;
pub use list_partition_reassignments_response::ListPartitionReassignmentsResponse;
pub use list_transactions_request::ListTransactionsRequest;
pub use list_transactions_response::ListTransactionsResponse;
pub use metadata_request::MetadataRequest;
pub use metadata_response::MetadataResponse;
pub use offset_commit_key::OffsetCommitKey;
pub use offset_commit_request::OffsetCommitRequest;
pub use offset_commit_response::OffsetCommitResponse;
pub use offset_commit_value::OffsetCommitValue;
pub use offset_delete_request::OffsetDeleteRequest;
pub use offset_delete_response::OffsetDeleteResponse;
pub use offset_fetch_request::OffsetFetchRequest;
pub use offset_fetch_response::OffsetFetchResponse;
pub use offset_for_leader_epoch_request::OffsetForLeaderEpochRequest;
pub use offset_for_leader_epoch_response::OffsetForLeaderEpochResponse;
pub use produce_request::ProduceRequest;
pub use produce_response::ProduceResponse;
pub use push_telemetry_request::PushTelemetryRequest;
pub use push_telemetry_response::PushTelemetryResponse;
pub use remove_raft_voter_request::RemoveRaftVoterRequest;
pub use remove_raft_voter_response::RemoveRaftVoterResponse;
pub use renew_delegation_token_request::RenewDelegationTokenRequest;
pub use renew_delegation_token_response::RenewDelegationTokenResponse;
pub use request_header::RequestHeader;
pub use response_header::ResponseHeader;
pub use sasl_authenticate_request::SaslAuthenticateRequest;
pub use sasl_authenticate_response::SaslAuthenticateResponse;
pub use sasl_handshake_request::SaslHandshakeRequest;
pub use sasl_handshake_response::SaslHandshakeResponse;
pub use share_acknowledge_request::ShareAcknowledgeRequest;
pub use share_acknowledge_response::ShareAcknowledgeResponse;
pub use share_fetch_request::ShareFetchRequest;
pub use share_fetch_response::ShareFetchResponse;
pub use share_group_describe_request::ShareGroupDescribeRequest;
pub use share_group_describe_response::ShareGroupDescribeResponse;
pub use share_group_heartbeat_request::ShareGroupHeartbeatRequest;
pub use share_group_heartbeat_response::ShareGroupHeartbeatResponse;
pub use streams_group_describe_request::StreamsGroupDescribeRequest;
pub use streams_group_describe_response::StreamsGroupDescribeResponse;
pub use streams_group_heartbeat_request::StreamsGroupHeartbeatRequest;
pub use streams_group_heartbeat_response::StreamsGroupHeartbeatResponse;
pub use streams_group_topology_description_update_request::StreamsGroupTopologyDescriptionUpdateRequest;
pub use streams_group_topology_description_update_response::StreamsGroupTopologyDescriptionUpdateResponse;
pub use sync_group_request::SyncGroupRequest;
pub use sync_group_response::SyncGroupResponse;
pub use transaction_log_key::TransactionLogKey;
pub use transaction_log_value::TransactionLogValue;
pub use txn_offset_commit_request::TxnOffsetCommitRequest;
pub use txn_offset_commit_response::TxnOffsetCommitResponse;
pub use unregister_broker_request::UnregisterBrokerRequest;
pub use unregister_broker_response::UnregisterBrokerResponse;
pub use unregister_controller_request::UnregisterControllerRequest;
pub use unregister_controller_response::UnregisterControllerResponse;
pub use update_features_request::UpdateFeaturesRequest;
pub use update_features_response::UpdateFeaturesResponse;
pub use write_txn_markers_request::WriteTxnMarkersRequest;
pub use write_txn_markers_response::WriteTxnMarkersResponse;

/// Every message, for tests that hold for all of them.
#[cfg(test)]
pub(super) const CODECS: [Codec; 174] = [
    Codec::of::<AddOffsetsToTxnRequest>(),
    Codec::of::<AddOffsetsToTxnResponse>(),
    Codec::of::<AddPartitionsToTxnRequest>(),
    Codec::of::<AddPartitionsToTxnResponse>(),
    Codec::of::<AddRaftVoterRequest>(),
    Codec::of::<AddRaftVoterResponse>(),
    Codec::of::<AlterClientQuotasRequest>(),
    Codec::of::<AlterClientQuotasResponse>(),
    Codec::of::<AlterConfigsRequest>(),
    Codec::of::<AlterConfigsResponse>(),
    Codec::of::<AlterPartitionReassignmentsRequest>(),
    Codec::of::<AlterPartitionReassignmentsResponse>(),
    Codec::of::<AlterReplicaLogDirsRequest>(),
    Codec::of::<AlterReplicaLogDirsResponse>(),
    Codec::of::<AlterShareGroupOffsetsRequest>(),
    Codec::of::<AlterShareGroupOffsetsResponse>(),
    Codec::of::<AlterUserScramCredentialsRequest>(),
    Codec::of::<AlterUserScramCredentialsResponse>(),
    Codec::of::<ApiVersionsRequest>(),
    Codec::of::<ApiVersionsResponse>(),
    Codec::of::<ConsumerGroupCurrentMemberAssignmentKey>(),
    Codec::of::<ConsumerGroupCurrentMemberAssignmentValue>(),
    Codec::of::<ConsumerGroupDescribeRequest>(),
    Codec::of::<ConsumerGroupDescribeResponse>(),
    Codec::of::<ConsumerGroupHeartbeatRequest>(),
    Codec::of::<ConsumerGroupHeartbeatResponse>(),
    Codec::of::<ConsumerGroupMemberMetadataKey>(),
    Codec::of::<ConsumerGroupMemberMetadataValue>(),
    Codec::of::<ConsumerGroupMetadataKey>(),
    Codec::of::<ConsumerGroupMetadataValue>(),
    Codec::of::<ConsumerGroupRegularExpressionKey>(),
    Codec::of::<ConsumerGroupRegularExpressionValue>(),
    Codec::of::<ConsumerGroupTargetAssignmentMemberKey>(),
    Codec::of::<ConsumerGroupTargetAssignmentMemberValue>(),
    Codec::of::<ConsumerGroupTargetAssignmentMetadataKey>(),
    Codec::of::<ConsumerGroupTargetAssignmentMetadataValue>(),
    Codec::of::<ConsumerProtocolAssignment>(),
    Codec::of::<ConsumerProtocolSubscription>(),
    Codec::of::<ControlRecordTypeSchema>(),
    Codec::of::<CreateAclsRequest>(),
    Codec::of::<CreateAclsResponse>(),
    Codec::of::<CreateDelegationTokenRequest>(),
    Codec::of::<CreateDelegationTokenResponse>(),
    Codec::of::<CreatePartitionsRequest>(),
    Codec::of::<CreatePartitionsResponse>(),
    Codec::of::<CreateTopicsRequest>(),
    Codec::of::<CreateTopicsResponse>(),
    Codec::of::<DeleteAclsRequest>(),
    Codec::of::<DeleteAclsResponse>(),
    Codec::of::<DeleteGroupsRequest>(),
    Codec::of::<DeleteGroupsResponse>(),
    Codec::of::<DeleteRecordsRequest>(),
    Codec::of::<DeleteRecordsResponse>(),
    Codec::of::<DeleteShareGroupOffsetsRequest>(),
    Codec::of::<DeleteShareGroupOffsetsResponse>(),
    Codec::of::<DeleteTopicsRequest>(),
    Codec::of::<DeleteTopicsResponse>(),
    Codec::of::<DescribeAclsRequest>(),
    Codec::of::<DescribeAclsResponse>(),
    Codec::of::<DescribeClientQuotasRequest>(),
    Codec::of::<DescribeClientQuotasResponse>(),
    Codec::of::<DescribeClusterRequest>(),
    Codec::of::<DescribeClusterResponse>(),
    Codec::of::<DescribeConfigsRequest>(),
    Codec::of::<DescribeConfigsResponse>(),
    Codec::of::<DescribeDelegationTokenRequest>(),
    Codec::of::<DescribeDelegationTokenResponse>(),
    Codec::of::<DescribeGroupsRequest>(),
    Codec::of::<DescribeGroupsResponse>(),
    Codec::of::<DescribeLogDirsRequest>(),
    Codec::of::<DescribeLogDirsResponse>(),
    Codec::of::<DescribeProducersRequest>(),
    Codec::of::<DescribeProducersResponse>(),
    Codec::of::<DescribeQuorumRequest>(),
    Codec::of::<DescribeQuorumResponse>(),
    Codec::of::<DescribeShareGroupOffsetsRequest>(),
    Codec::of::<DescribeShareGroupOffsetsResponse>(),
    Codec::of::<DescribeTopicPartitionsRequest>(),
    Codec::of::<DescribeTopicPartitionsResponse>(),
    Codec::of::<DescribeTransactionsRequest>(),
    Codec::of::<DescribeTransactionsResponse>(),
    Codec::of::<DescribeUserScramCredentialsRequest>(),
    Codec::of::<DescribeUserScramCredentialsResponse>(),
    Codec::of::<ElectLeadersRequest>(),
    Codec::of::<ElectLeadersResponse>(),
    Codec::of::<EndTxnMarker>(),
    Codec::of::<EndTxnRequest>(),
    Codec::of::<EndTxnResponse>(),
    Codec::of::<ExpireDelegationTokenRequest>(),
    Codec::of::<ExpireDelegationTokenResponse>(),
    Codec::of::<FetchRequest>(),
    Codec::of::<FetchResponse>(),
    Codec::of::<FindCoordinatorRequest>(),
    Codec::of::<FindCoordinatorResponse>(),
    Codec::of::<GetTelemetrySubscriptionsRequest>(),
    Codec::of::<GetTelemetrySubscriptionsResponse>(),
    Codec::of::<GroupMetadataKey>(),
    Codec::of::<GroupMetadataValue>(),
    Codec::of::<HeartbeatRequest>(),
    Codec::of::<HeartbeatResponse>(),
    Codec::of::<IncrementalAlterConfigsRequest>(),
    Codec::of::<IncrementalAlterConfigsResponse>(),
    Codec::of::<InitProducerIdRequest>(),
    Codec::of::<InitProducerIdResponse>(),
    Codec::of::<JoinGroupRequest>(),
    Codec::of::<JoinGroupResponse>(),
    Codec::of::<LeaveGroupRequest>(),
    Codec::of::<LeaveGroupResponse>(),
    Codec::of::<LegacyOffsetCommitKey>(),
    Codec::of::<LegacyOffsetCommitValue>(),
    Codec::of::<ListConfigResourcesRequest>(),
    Codec::of::<ListConfigResourcesResponse>(),
    Codec::of::<ListGroupsRequest>(),
    Codec::of::<ListGroupsResponse>(),
    Codec::of::<ListOffsetsRequest>(),
    Codec::of::<ListOffsetsResponse>(),
    Codec::of::<ListPartitionReassignmentsRequest>(),
    Codec::of::<ListPartitionReassignmentsResponse>(),
    Codec::of::<ListTransactionsRequest>(),
    Codec::of::<ListTransactionsResponse>(),
    Codec::of::<MetadataRequest>(),
    Codec::of::<MetadataResponse>(),
    Codec::of::<OffsetCommitKey>(),
    Codec::of::<OffsetCommitRequest>(),
    Codec::of::<OffsetCommitResponse>(),
    Codec::of::<OffsetCommitValue>(),
    Codec::of::<OffsetDeleteRequest>(),
    Codec::of::<OffsetDeleteResponse>(),
    Codec::of::<OffsetFetchRequest>(),
    Codec::of::<OffsetFetchResponse>(),
    Codec::of::<OffsetForLeaderEpochRequest>(),
    Codec::of::<OffsetForLeaderEpochResponse>(),
    Codec::of::<ProduceRequest>(),
    Codec::of::<ProduceResponse>(),
    Codec::of::<PushTelemetryRequest>(),
    Codec::of::<PushTelemetryResponse>(),
    Codec::of::<RemoveRaftVoterRequest>(),
    Codec::of::<RemoveRaftVoterResponse>(),
    Codec::of::<RenewDelegationTokenRequest>(),
    Codec::of::<RenewDelegationTokenResponse>(),
    Codec::of::<RequestHeader>(),
    Codec::of::<ResponseHeader>(),
    Codec::of::<SaslAuthenticateRequest>(),
    Codec::of::<SaslAuthenticateResponse>(),
    Codec::of::<SaslHandshakeRequest>(),
    Codec::of::<SaslHandshakeResponse>(),
    Codec::of::<ShareAcknowledgeRequest>(),
    Codec::of::<ShareAcknowledgeResponse>(),
    Codec::of::<ShareFetchRequest>(),
    Codec::of::<ShareFetchResponse>(),
    Codec::of::<ShareGroupDescribeRequest>(),
    Codec::of::<ShareGroupDescribeResponse>(),
    Codec::of::<ShareGroupHeartbeatRequest>(),
    Codec::of::<ShareGroupHeartbeatResponse>(),
    Codec::of::<StreamsGroupDescribeRequest>(),
    Codec::of::<StreamsGroupDescribeResponse>(),
    Codec::of::<StreamsGroupHeartbeatRequest>(),
    Codec::of::<StreamsGroupHeartbeatResponse>(),
    Codec::of::<StreamsGroupTopologyDescriptionUpdateRequest>(),
    Codec::of::<StreamsGroupTopologyDescriptionUpdateResponse>(),
    Codec::of::<SyncGroupRequest>(),
    Codec::of::<SyncGroupResponse>(),
    Codec::of::<TransactionLogKey>(),
    Codec::of::<TransactionLogValue>(),
    Codec::of::<TxnOffsetCommitRequest>(),
    Codec::of::<TxnOffsetCommitResponse>(),
    Codec::of::<UnregisterBrokerRequest>(),
    Codec::of::<UnregisterBrokerResponse>(),
    Codec::of::<UnregisterControllerRequest>(),
    Codec::of::<UnregisterControllerResponse>(),
    Codec::of::<UpdateFeaturesRequest>(),
    Codec::of::<UpdateFeaturesResponse>(),
    Codec::of::<WriteTxnMarkersRequest>(),
    Codec::of::<WriteTxnMarkersResponse>(),
];
