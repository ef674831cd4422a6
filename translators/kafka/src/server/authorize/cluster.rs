//! Requests about the cluster as a whole, and about access itself.

use super::{Guard, Judge, Judged, Verdict};
use crate::access::Operation::{Alter, Describe, DescribeConfigs};
use crate::access::{CLUSTER, Operation, ResourceKind};
use crate::codec::Str;
use crate::codec::messages::alter_client_quotas_response as quotas;
use crate::codec::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use crate::codec::messages::create_acls_response::AclCreationResult;
use crate::codec::messages::delete_acls_response::DeleteAclsFilterResult;
use crate::codec::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use crate::codec::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse, CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest,
    DeleteAclsResponse, DescribeAclsResponse, DescribeClientQuotasResponse, DescribeClusterResponse,
    DescribeLogDirsResponse, DescribeUserScramCredentialsResponse, ElectLeadersRequest, ElectLeadersResponse,
    ListConfigResourcesResponse, ListPartitionReassignmentsResponse,
};
use crate::errors::ErrorCode;

const DENIED: i16 = ErrorCode::ClusterAuthorizationFailed.code();

fn said() -> Option<Str> {
    Some(Str::from_static("Cluster authorization failed."))
}

impl Guard {
    /// What it may do with the cluster; nothing where it may not even describe it.
    pub(super) fn cluster_operations(&self) -> i32 {
        if self.may_cluster(Describe) { self.operations(ResourceKind::Cluster, CLUSTER) } else { 0 }
    }
}

impl Judge<'_> {
    pub(super) fn describe_cluster(&self) -> Judged {
        let guard = self.guard.clone();
        Ok(self.amended(move |answer: &mut DescribeClusterResponse| {
            if answer.cluster_authorized_operations != i32::MIN {
                answer.cluster_authorized_operations = guard.cluster_operations();
            }
        }))
    }

    pub(super) fn describe_log_dirs(&self) -> Verdict {
        self.cluster(Describe, |error_code| DescribeLogDirsResponse { error_code, ..Default::default() })
    }

    pub(super) fn list_reassignments(&self) -> Verdict {
        self.cluster(Describe, |error_code| ListPartitionReassignmentsResponse {
            error_code,
            error_message: said(),
            ..Default::default()
        })
    }

    pub(super) fn list_config_resources(&self) -> Verdict {
        self.cluster(DescribeConfigs, |error_code| ListConfigResourcesResponse {
            error_code,
            ..Default::default()
        })
    }

    pub(super) fn elect_leaders(&self) -> Judged {
        let asked: ElectLeadersRequest = self.decode()?;
        let result = |partition: &i32| PartitionResult {
            partition_id: *partition,
            error_code: DENIED,
            error_message: said(),
            ..Default::default()
        };
        let results = asked.topic_partitions.iter().flatten().map(|topic| ReplicaElectionResult {
            topic: topic.topic.clone(),
            partition_result: topic.partitions.iter().map(result).collect(),
            ..Default::default()
        });
        let replica_election_results = results.collect();
        Ok(self.cluster(Alter, |error_code| ElectLeadersResponse {
            error_code,
            replica_election_results,
            ..Default::default()
        }))
    }

    pub(super) fn acls_described(&self, operation: Operation) -> Verdict {
        self.cluster(operation, |error_code| DescribeAclsResponse {
            error_code,
            error_message: said(),
            ..Default::default()
        })
    }

    pub(super) fn acls_created(&self, operation: Operation) -> Judged {
        let asked: CreateAclsRequest = self.decode()?;
        Ok(self.cluster(operation, |error_code| {
            let each = |_| AclCreationResult { error_code, error_message: said(), ..Default::default() };
            CreateAclsResponse { results: asked.creations.iter().map(each).collect(), ..Default::default() }
        }))
    }

    pub(super) fn acls_deleted(&self, operation: Operation) -> Judged {
        let asked: DeleteAclsRequest = self.decode()?;
        Ok(self.cluster(operation, |error_code| {
            let each = |_| DeleteAclsFilterResult { error_code, error_message: said(), ..Default::default() };
            DeleteAclsResponse {
                filter_results: asked.filters.iter().map(each).collect(),
                ..Default::default()
            }
        }))
    }

    pub(super) fn users_described(&self, operation: Operation) -> Verdict {
        self.cluster(operation, |error_code| DescribeUserScramCredentialsResponse {
            error_code,
            error_message: said(),
            ..Default::default()
        })
    }

    pub(super) fn users_altered(&self, operation: Operation) -> Judged {
        let asked: AlterUserScramCredentialsRequest = self.decode()?;
        Ok(self.cluster(operation, |error_code| {
            let mut users: Vec<Str> = asked.deletions.iter().map(|each| each.name.clone()).collect();
            users.extend(asked.upsertions.iter().map(|each| each.name.clone()));
            users.sort();
            users.dedup();
            let each = |user| AlterUserScramCredentialsResult {
                user,
                error_code,
                error_message: said(),
                ..Default::default()
            };
            let results = users.into_iter().map(each).collect();
            AlterUserScramCredentialsResponse { results, ..Default::default() }
        }))
    }

    pub(super) fn quotas_described(&self, operation: Operation) -> Verdict {
        self.cluster(operation, |error_code| DescribeClientQuotasResponse {
            error_code,
            error_message: said(),
            entries: None,
            ..Default::default()
        })
    }

    pub(super) fn quotas_altered(&self, operation: Operation) -> Judged {
        let asked: AlterClientQuotasRequest = self.decode()?;
        Ok(self.cluster(operation, |error_code| {
            let entity =
                |part: &crate::codec::messages::alter_client_quotas_request::EntityData| quotas::EntityData {
                    entity_type: part.entity_type.clone(),
                    entity_name: part.entity_name.clone(),
                    ..Default::default()
                };
            let entries = asked.entries.iter().map(|entry| quotas::EntryData {
                error_code,
                error_message: said(),
                entity: entry.entity.iter().map(entity).collect(),
                ..Default::default()
            });
            AlterClientQuotasResponse { entries: entries.collect(), ..Default::default() }
        }))
    }
}
