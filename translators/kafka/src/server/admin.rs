//! Requests that change the catalog: handed to its coordinator as they came. New topics and partitions are
//! answered once their logs answer.

use std::time::Duration;

use bytes::Bytes;
use kernel_model::{KernelError, LogId, Reply, Request, ShardId};

use super::operation::{Begin, Cx, Finished, Head, Operation, Step};
use crate::catalog::Topic;
use crate::codec::messages::alter_configs_response::AlterConfigsResourceResponse as Replaced;
use crate::codec::messages::create_partitions_response::CreatePartitionsTopicResult;
use crate::codec::messages::create_topics_response::CreatableTopicResult;
use crate::codec::messages::delete_topics_response::DeletableTopicResult;
use crate::codec::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as Altered;
use crate::codec::messages::{
    AlterConfigsRequest, AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse,
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, InitProducerIdRequest,
    InitProducerIdResponse,
};
use crate::codec::{ApiKey, DecodeError, Message, Reader, Str};
use crate::coordinator::group::transfer::Transfer;
use crate::errors::{ErrorCode, coordinator_error};
use crate::placement::{CATALOG, CATALOG_SHARD, GROUPS};

/// Pause before a log that was not found is asked for again.
const RETRY: Duration = Duration::from_millis(2);

/// Waits until the logs of new partitions answer: they reach other shards through the outbox.
pub(super) struct LogWait {
    missing: Vec<LogId>,
    asked: usize,
    deadline: Duration,
}

impl LogWait {
    pub(super) fn new(cx: &Cx<'_>, logs: impl Iterator<Item = LogId>) -> Self {
        let deadline = cx.now.deadline(cx.settings.limits.create_wait_max);
        Self { missing: logs.collect(), asked: 0, deadline }
    }

    /// Asks every log that has not answered. True when none is left.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>) -> bool {
        for (slot, log) in self.missing.iter().enumerate() {
            cx.ask(slot, log.shard(), Request::Describe { log: *log });
            self.asked += 1;
        }
        self.asked == 0
    }

    /// Takes an answer. True when the wait is over.
    pub(super) fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        slot: usize,
        answer: &Result<Reply, KernelError>,
    ) -> bool {
        self.asked = self.asked.saturating_sub(1);
        // Any other answer than "not found" says that the log is there, or that waiting does not help.
        if !matches!(answer, Err(KernelError::NotFound))
            && let Some(log) = self.missing.get_mut(slot)
        {
            *log = LogId(u64::MAX);
        }
        if self.asked > 0 {
            return false;
        }
        self.missing.retain(|log| *log != LogId(u64::MAX));
        if self.missing.is_empty() || cx.now.elapsed >= self.deadline {
            return true;
        }
        cx.wake_at(cx.now.deadline(RETRY));
        false
    }
}

/// The logs of a topic.
pub(super) fn logs_of(topic: &Topic) -> impl Iterator<Item = LogId> + '_ {
    topic.partitions.iter().map(|partition| partition.log)
}

struct Change {
    head: Head,
    /// Topics whose logs must answer before the response goes out.
    topics: Vec<Str>,
    /// The response when the coordinator cannot be asked.
    refused: Refused,
    waiting: Option<(Bytes, LogWait)>,
    forgetting: Option<Forgetting>,
}

/// Topics are gone; every shard's groups are told before the response goes out.
struct Forgetting {
    body: Bytes,
    shards_left: usize,
}

/// Begins a change.
pub(super) fn start(
    cx: &mut Cx<'_>,
    head: Head,
    reader: Reader,
    request: Bytes,
) -> Result<Begin, DecodeError> {
    let (topics, refused) = read(&head, reader)?;
    let message = Request::Coordinate { kind: CATALOG, message: request };
    cx.ask(0, CATALOG_SHARD, message);
    Ok(Begin::Run(Box::new(Change { head, topics, refused, waiting: None, forgetting: None })))
}

type Refused = Box<dyn FnOnce(&Head, ErrorCode) -> Finished + Send>;

/// Reads a request as far as it matters here: which topics it creates, and how it is refused.
fn read(head: &Head, reader: Reader) -> Result<(Vec<Str>, Refused), DecodeError> {
    let v = head.version;
    #[allow(clippy::wildcard_enum_match_arm, reason = "the caller names the APIs that come here")]
    Ok(match head.api {
        ApiKey::CreateTopics => {
            let request = CreateTopicsRequest::decode_request(reader, v)?;
            let names: Vec<Str> = request.topics.iter().map(|topic| topic.name.detached()).collect();
            let waited = if request.validate_only { Vec::new() } else { names.clone() };
            (waited, Box::new(move |head, code| head.respond(&topics_refused(names, code))))
        }
        ApiKey::CreatePartitions => {
            let request = CreatePartitionsRequest::decode_request(reader, v)?;
            let names: Vec<Str> = request.topics.iter().map(|topic| topic.name.detached()).collect();
            let waited = if request.validate_only { Vec::new() } else { names.clone() };
            (waited, Box::new(move |head, code| head.respond(&partitions_refused(names, code))))
        }
        ApiKey::DeleteTopics => {
            let request = DeleteTopicsRequest::decode_request(reader, v)?;
            (Vec::new(), Box::new(move |head, code| head.respond(&deletions_refused(&request, code))))
        }
        ApiKey::AlterConfigs => {
            let request = AlterConfigsRequest::decode_request(reader, v)?;
            (Vec::new(), Box::new(move |head, code| head.respond(&replacements_refused(&request, code))))
        }
        ApiKey::IncrementalAlterConfigs => {
            let request = IncrementalAlterConfigsRequest::decode_request(reader, v)?;
            (Vec::new(), Box::new(move |head, code| head.respond(&alterations_refused(&request, code))))
        }
        _ => {
            InitProducerIdRequest::decode_request(reader, v)?;
            let refused = |code: ErrorCode| InitProducerIdResponse {
                error_code: code.code(),
                producer_epoch: -1,
                ..Default::default()
            };
            (Vec::new(), Box::new(move |head, code| head.respond(&refused(code))))
        }
    })
}

impl Change {
    fn finish(&mut self, body: Bytes) -> Step {
        Step::Done(self.head.respond_body(body))
    }

    /// Tells the groups of every shard which topics are gone.
    fn forget_offsets(&mut self, cx: &mut Cx<'_>, body: Bytes) -> Step {
        let topics = deleted(body.clone(), self.head.version);
        if topics.is_empty() {
            return self.finish(body);
        }
        let message = Transfer::TopicsDeleted { topics }.encode();
        let shards = cx.settings.shards.max(1);
        for shard in 0..shards {
            let message = Request::Coordinate { kind: GROUPS, message: message.clone() };
            cx.ask(usize::from(shard), ShardId(shard), message);
        }
        self.forgetting = Some(Forgetting { body, shards_left: usize::from(shards) });
        Step::Wait
    }
}

impl Operation for Change {
    fn answered(&mut self, cx: &mut Cx<'_>, slot: usize, answer: Result<Reply, KernelError>) -> Step {
        if let Some((body, wait)) = &mut self.waiting {
            if !wait.answered(cx, slot, &answer) {
                return Step::Wait;
            }
            let body = std::mem::take(body);
            return self.finish(body);
        }
        if let Some(forgetting) = &mut self.forgetting {
            // The topics are gone whatever the groups answer: offsets that stay expire with their group.
            forgetting.shards_left = forgetting.shards_left.saturating_sub(1);
            if forgetting.shards_left > 0 {
                return Step::Wait;
            }
            let body = std::mem::take(&mut forgetting.body);
            return self.finish(body);
        }
        let body = match answer {
            Ok(Reply::Coordinated(body)) => body,
            Ok(_) => return self.refuse(ErrorCode::UnknownServerError),
            Err(error) => return self.refuse(coordinator_error(&error)),
        };
        if self.head.api == ApiKey::DeleteTopics {
            return self.forget_offsets(cx, body);
        }
        let catalog = cx.catalog();
        let topics = self.topics.iter().filter_map(|name| catalog.topic(name));
        let mut wait = LogWait::new(cx, topics.flat_map(|topic| logs_of(topic)));
        if wait.ask(cx) {
            return self.finish(body);
        }
        self.waiting = Some((body, wait));
        Step::Wait
    }

    fn due(&mut self, cx: &mut Cx<'_>) -> Step {
        if let Some((_, wait)) = &mut self.waiting {
            wait.ask(cx);
        }
        Step::Wait
    }
}

impl Change {
    fn refuse(&mut self, code: ErrorCode) -> Step {
        let refused = std::mem::replace(&mut self.refused, Box::new(|_, _| Finished::Silent));
        Step::Done(refused(&self.head, code))
    }
}

/// Names of the topics that a response to DeleteTopics says are gone.
fn deleted(body: Bytes, version: i16) -> Vec<Str> {
    let response = DeleteTopicsResponse::decode_exact(body, version).unwrap_or_default();
    let gone = response.responses.into_iter().filter(|result| result.error_code == 0);
    gone.filter_map(|result| result.name.map(|name| name.detached())).collect()
}

fn topics_refused(names: Vec<Str>, code: ErrorCode) -> CreateTopicsResponse {
    let result =
        |name| CreatableTopicResult { name, error_code: code.code(), configs: None, ..Default::default() };
    CreateTopicsResponse { topics: names.into_iter().map(result).collect(), ..Default::default() }
}

fn partitions_refused(names: Vec<Str>, code: ErrorCode) -> CreatePartitionsResponse {
    let result = |name| CreatePartitionsTopicResult { name, error_code: code.code(), ..Default::default() };
    CreatePartitionsResponse { results: names.into_iter().map(result).collect(), ..Default::default() }
}

fn deletions_refused(request: &DeleteTopicsRequest, code: ErrorCode) -> DeleteTopicsResponse {
    let of = |name: Option<Str>, topic_id| DeletableTopicResult {
        name,
        topic_id,
        error_code: code.code(),
        ..Default::default()
    };
    let named = request.topic_names.iter().map(|name| of(Some(name.clone()), Default::default()));
    let states = request.topics.iter().map(|state| of(state.name.clone(), state.topic_id));
    DeleteTopicsResponse { responses: states.chain(named).collect(), ..Default::default() }
}

fn replacements_refused(request: &AlterConfigsRequest, code: ErrorCode) -> AlterConfigsResponse {
    let responses = request.resources.iter().map(|resource| Replaced {
        error_code: code.code(),
        error_message: None,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..Default::default()
    });
    AlterConfigsResponse { responses: responses.collect(), ..Default::default() }
}

fn alterations_refused(
    request: &IncrementalAlterConfigsRequest,
    code: ErrorCode,
) -> IncrementalAlterConfigsResponse {
    let responses = request.resources.iter().map(|resource| Altered {
        error_code: code.code(),
        error_message: None,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..Default::default()
    });
    IncrementalAlterConfigsResponse { responses: responses.collect(), ..Default::default() }
}
