//! Requests about topics.

use super::{Judge, Judged, Verdict};
use crate::access::Operation::{Alter, AlterConfigs, Create, Delete, Describe, DescribeConfigs, Read, Write};
use crate::access::{Operation, ResourceKind};
use crate::codec::messages::alter_configs_response::AlterConfigsResourceResponse as Replaced;
use crate::codec::messages::create_partitions_response::CreatePartitionsTopicResult;
use crate::codec::messages::create_topics_response::CreatableTopicResult;
use crate::codec::messages::delete_topics_response::DeletableTopicResult;
use crate::codec::messages::describe_configs_response::DescribeConfigsResult;
use crate::codec::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use crate::codec::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as Altered;
use crate::codec::messages::metadata_response::MetadataResponseTopic;
use crate::codec::messages::{
    AlterConfigsRequest, AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse,
    CreateTopicsRequest, CreateTopicsResponse, DeleteRecordsRequest, DeleteTopicsRequest,
    DeleteTopicsResponse, DescribeConfigsRequest, DescribeConfigsResponse, DescribeProducersRequest,
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, ListOffsetsRequest, MetadataRequest, MetadataResponse,
    OffsetForLeaderEpochRequest, ProduceRequest,
};
use crate::codec::{Str, Uuid};
use crate::errors::ErrorCode;
use crate::gateway::owner::{Leader, Owned, Owner};
use crate::gateway::route::TopicRef;
use crate::server::operation::Finished;

const DENIED: i16 = ErrorCode::TopicAuthorizationFailed.code();

/// Splits what the guard denies off the front of a list.
fn taken<T>(all: &mut Vec<T>, mut denied: impl FnMut(&T) -> bool) -> Vec<T> {
    let (taken, kept) = std::mem::take(all).into_iter().partition(|each| denied(each));
    *all = kept;
    taken
}

/// Both ways to change settings: their messages differ in name only.
macro_rules! alter_configs {
    ($judge:ident, $request:ident, $response:ident, $refused:ident) => {
        pub(super) fn $judge(&self) -> Judged {
            let mut rest: $request = self.decode()?;
            let refused = self.take_configs(
                &mut rest.resources,
                AlterConfigs,
                |each| (each.resource_type, &each.resource_name),
                |error_code, resource_type, resource_name| $refused {
                    error_code,
                    error_message: None,
                    resource_type,
                    resource_name,
                    ..Default::default()
                },
            );
            if refused.is_empty() {
                return Ok(Verdict::Pass);
            }
            if rest.resources.is_empty() {
                return Ok(self.refuse(&$response { responses: refused, ..Default::default() }));
            }
            Ok(self.rest(&rest, move |answer: &mut $response| answer.responses.extend(refused)))
        }
    };
}

impl Judge<'_> {
    pub(super) fn produce(&self) -> Judged {
        let mut rest: ProduceRequest = self.decode()?;
        let silent = rest.acks == 0;
        let id = rest.transactional_id.as_deref();
        let id_denied = id.is_some_and(|id| !self.guard.may(Write, ResourceKind::TransactionalId, id));
        let denied = rest.take(&mut |owner| match owner {
            Owner::Partition(topic, _) => id_denied || self.denies_topic(Write, topic),
            Owner::Group(_) | Owner::Transaction(_) => false,
        });
        if denied.is_empty() {
            return Ok(Verdict::Pass);
        }
        if silent {
            // Nothing can be answered: the connection's end is the only word that the client gets.
            return Ok(Verdict::Refuse(Finished::Close("a write without an answer is not authorised")));
        }
        let code = if id_denied {
            ErrorCode::TransactionalIdAuthorizationFailed
        } else {
            ErrorCode::TopicAuthorizationFailed
        };
        let refused = denied.refuse(self.head.version, code, &|_, _| Leader::default());
        if rest.is_empty() {
            return Ok(self.refuse(&refused));
        }
        Ok(self.rest(&rest, move |answer| ProduceRequest::merge(answer, refused)))
    }

    pub(super) fn list_offsets(&self) -> Judged {
        self.by_topic::<ListOffsetsRequest>(Describe)
    }

    pub(super) fn leader_epochs(&self) -> Judged {
        self.by_topic::<OffsetForLeaderEpochRequest>(Describe)
    }

    pub(super) fn delete_records(&self) -> Judged {
        self.by_topic::<DeleteRecordsRequest>(Delete)
    }

    pub(super) fn producers(&self) -> Judged {
        self.by_topic::<DescribeProducersRequest>(Read)
    }

    /// Whether a topic that does not exist may not be made by asking for it.
    fn may_not_create(&self, name: &str) -> bool {
        let missing = self.catalog.topic(name).is_none();
        missing && !self.guard.may_cluster(Create) && !self.guard.may_topic(Create, name)
    }

    pub(super) fn metadata(&self) -> Judged {
        let mut rest: MetadataRequest = self.decode()?;
        let version = self.head.version;
        let creates = self.creates_topics && (version < 4 || rest.allow_auto_topic_creation);
        let names = rest.topics.take().filter(|topics| !(version == 0 && topics.is_empty()));
        let all = names.is_none();
        let mut kept = names.unwrap_or_default();
        let denied = taken(&mut kept, |topic| {
            let named = topic.name.as_deref().filter(|_| topic.topic_id.is_zero());
            match named {
                Some(name) => {
                    self.denies_topic(Describe, TopicRef::Name(name)) || creates && self.may_not_create(name)
                }
                None => self.denies_topic(Describe, TopicRef::Id(topic.topic_id)),
            }
        });
        let by_id = version >= 12;
        let refused = denied.into_iter().map(move |topic| MetadataResponseTopic {
            error_code: DENIED,
            name: topic.name.filter(|name| !name.is_empty()).or((!by_id).then(Str::default)),
            topic_id: topic.topic_id,
            ..Default::default()
        });
        let refused: Vec<MetadataResponseTopic> = refused.collect();
        let nothing = !all && kept.is_empty() && !refused.is_empty();
        rest.topics = if all { if version == 0 { Some(Vec::new()) } else { None } } else { Some(kept) };
        let guard = self.guard.clone();
        let edit = move |answer: &mut MetadataResponse| {
            if nothing {
                // The oldest version has no other way to say "none" than to ask for all.
                answer.topics.clear();
            }
            answer
                .topics
                .retain(|topic| !all || guard.may_topic(Describe, topic.name.as_deref().unwrap_or_default()));
            for topic in
                answer.topics.iter_mut().filter(|topic| topic.topic_authorized_operations != i32::MIN)
            {
                let name = topic.name.as_deref().unwrap_or_default();
                topic.topic_authorized_operations = guard.operations(ResourceKind::Topic, name);
            }
            if answer.cluster_authorized_operations != i32::MIN {
                answer.cluster_authorized_operations = guard.cluster_operations();
            }
            answer.topics.extend(refused);
        };
        Ok(self.rest(&rest, edit))
    }

    pub(super) fn topic_partitions(&self) -> Judged {
        let mut rest: DescribeTopicPartitionsRequest = self.decode()?;
        let all = rest.topics.is_empty();
        let denied = taken(&mut rest.topics, |topic| !self.guard.may_topic(Describe, &topic.name));
        let refused: Vec<_> = denied
            .into_iter()
            .map(|topic| DescribeTopicPartitionsResponseTopic {
                error_code: DENIED,
                name: Some(topic.name),
                ..Default::default()
            })
            .collect();
        let guard = self.guard.clone();
        let edit = move |answer: &mut DescribeTopicPartitionsResponse| {
            let name = |topic: &DescribeTopicPartitionsResponseTopic| topic.name.clone().unwrap_or_default();
            answer.topics.retain(|topic| !all || guard.may_topic(Describe, &name(topic)));
            for topic in &mut answer.topics {
                topic.topic_authorized_operations = guard.operations(ResourceKind::Topic, &name(topic));
            }
            answer.topics.extend(refused);
        };
        if !all && rest.topics.is_empty() {
            let mut answer = DescribeTopicPartitionsResponse::default();
            edit(&mut answer);
            return Ok(self.refuse(&answer));
        }
        Ok(self.rest(&rest, edit))
    }

    pub(super) fn create_topics(&self) -> Judged {
        let mut rest: CreateTopicsRequest = self.decode()?;
        let everywhere = self.guard.may_cluster(Create);
        let denied =
            taken(&mut rest.topics, |topic| !everywhere && !self.guard.may_topic(Create, &topic.name));
        let refused: Vec<_> = denied
            .into_iter()
            .map(|topic| CreatableTopicResult {
                name: topic.name,
                error_code: DENIED,
                error_message: Some("Authorization failed.".into()),
                num_partitions: -1,
                replication_factor: -1,
                ..Default::default()
            })
            .collect();
        let guard = self.guard.clone();
        let edit = move |answer: &mut CreateTopicsResponse| {
            let made = answer.topics.iter_mut().filter(|topic| topic.error_code == 0);
            for topic in made.filter(|topic| !guard.may_topic(DescribeConfigs, &topic.name)) {
                topic.topic_config_error_code = DENIED;
                topic.configs = None;
                (topic.num_partitions, topic.replication_factor) = (-1, -1);
            }
            answer.topics.extend(refused);
        };
        if rest.topics.is_empty() {
            let mut answer = CreateTopicsResponse::default();
            edit(&mut answer);
            return Ok(self.refuse(&answer));
        }
        Ok(self.rest(&rest, edit))
    }

    pub(super) fn delete_topics(&self) -> Judged {
        let mut rest: DeleteTopicsRequest = self.decode()?;
        // Who may delete in the cluster may delete every topic.
        if self.guard.may_cluster(Delete) {
            return Ok(Verdict::Pass);
        }
        // That a topic is not there is told to whoever may know of it.
        let denied = |name: &str| {
            let told = self.catalog.topic(name).is_none() && self.guard.may_topic(Describe, name);
            !told && !self.guard.may_topic(Delete, name)
        };
        let names = taken(&mut rest.topic_names, |name| denied(name));
        let states = taken(&mut rest.topics, |topic| match topic.name.as_deref() {
            Some(name) => denied(name),
            None => self.denies_topic(Delete, TopicRef::Id(topic.topic_id)),
        });
        if names.is_empty() && states.is_empty() {
            return Ok(Verdict::Pass);
        }
        let refused = |name: Option<Str>, topic_id: Uuid| {
            let known = name.clone().or_else(|| {
                let topic = self.catalog.topic_by_id(topic_id)?;
                self.guard.may_topic(Describe, &topic.name).then(|| Str::from(&*topic.name))
            });
            DeletableTopicResult { name: known, topic_id, error_code: DENIED, ..Default::default() }
        };
        let mut answers: Vec<_> = names.into_iter().map(|name| refused(Some(name), Uuid::ZERO)).collect();
        answers.extend(states.into_iter().map(|topic| refused(topic.name, topic.topic_id)));
        if rest.topic_names.is_empty() && rest.topics.is_empty() {
            return Ok(self.refuse(&DeleteTopicsResponse { responses: answers, ..Default::default() }));
        }
        Ok(self.rest(&rest, move |answer: &mut DeleteTopicsResponse| answer.responses.extend(answers)))
    }

    pub(super) fn create_partitions(&self) -> Judged {
        let mut rest: CreatePartitionsRequest = self.decode()?;
        let denied = taken(&mut rest.topics, |topic| !self.guard.may_topic(Alter, &topic.name));
        if denied.is_empty() {
            return Ok(Verdict::Pass);
        }
        let refused: Vec<_> = denied
            .into_iter()
            .map(|topic| CreatePartitionsTopicResult {
                name: topic.name,
                error_code: DENIED,
                ..Default::default()
            })
            .collect();
        if rest.topics.is_empty() {
            return Ok(self.refuse(&CreatePartitionsResponse { results: refused, ..Default::default() }));
        }
        Ok(self.rest(&rest, move |answer: &mut CreatePartitionsResponse| answer.results.extend(refused)))
    }

    /// Why a configuration may not be touched, if so.
    fn config_denied(&self, operation: Operation, kind: i8, name: &str) -> Option<ErrorCode> {
        const TOPIC: i8 = 2;
        const GROUP: i8 = 32;
        let (allowed, code) = match kind {
            TOPIC => (self.guard.may_topic(operation, name), ErrorCode::TopicAuthorizationFailed),
            GROUP => (self.guard.may_group(operation, name), ErrorCode::GroupAuthorizationFailed),
            _ => (self.guard.may_cluster(operation), ErrorCode::ClusterAuthorizationFailed),
        };
        (!allowed).then_some(code)
    }

    /// Takes out what may not be touched, each with the answer that its client gets for it.
    fn take_configs<T, A>(
        &self,
        all: &mut Vec<T>,
        operation: Operation,
        named: impl Fn(&T) -> (i8, &Str),
        refused: impl Fn(i16, i8, Str) -> A,
    ) -> Vec<A> {
        let mut answers = Vec::new();
        all.retain(|each| {
            let (kind, name) = named(each);
            let code = self.config_denied(operation, kind, name);
            answers.extend(code.map(|code| refused(code.code(), kind, name.clone())));
            code.is_none()
        });
        answers
    }

    pub(super) fn describe_configs(&self) -> Judged {
        let mut rest: DescribeConfigsRequest = self.decode()?;
        let refused = self.take_configs(
            &mut rest.resources,
            DescribeConfigs,
            |each| (each.resource_type, &each.resource_name),
            |error_code, resource_type, resource_name| DescribeConfigsResult {
                error_code,
                error_message: None,
                resource_type,
                resource_name,
                ..Default::default()
            },
        );
        if refused.is_empty() {
            return Ok(Verdict::Pass);
        }
        Ok(self.rest(&rest, move |answer: &mut DescribeConfigsResponse| answer.results.extend(refused)))
    }

    alter_configs!(alter_configs, AlterConfigsRequest, AlterConfigsResponse, Replaced);
    alter_configs!(
        incremental_alter_configs,
        IncrementalAlterConfigsRequest,
        IncrementalAlterConfigsResponse,
        Altered
    );
}
