//! Requests that change the catalog: handed to its coordinator as they came. New topics and partitions are
//! answered once their logs answer.

use std::time::Duration;

use bytes::Bytes;
use kernel_model::{KernelError, LogId, Reply, Request};

use super::forgetting::Forgetting;
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
use crate::errors::{ErrorCode, coordinator_error};
use crate::placement::{CATALOG, CATALOG_SHARD};

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
    stage: Stage,
}

/// What is waited for.
enum Stage {
    /// The catalog's answer.
    Catalog,
    /// Offsets of a deleted topic are to be forgotten before the catalog is asked to make one of that name.
    Clearing(Forgetting, Bytes),
    /// Topics are gone. Every shard's groups are told before the response goes out.
    Forgetting(Forgetting, Bytes),
    /// The logs of new partitions are to answer before the response goes out.
    Logs(LogWait, Bytes),
}

/// Begins a change.
pub(super) fn start(
    cx: &mut Cx<'_>,
    head: Head,
    reader: Reader,
    request: Bytes,
) -> Result<Begin, DecodeError> {
    let (topics, refused) = read(&head, reader)?;
    let catalog = cx.catalog();
    let held_back = topics.iter().any(|name| catalog.unforgotten_id(name).is_some());
    let clearing = if held_back { Forgetting::begin(cx) } else { None };
    let stage = match clearing {
        Some(clearing) => Stage::Clearing(clearing, request),
        None => ask_catalog(cx, request),
    };
    Ok(Begin::Run(Box::new(Change { head, topics, refused, stage })))
}

fn ask_catalog(cx: &mut Cx<'_>, message: Bytes) -> Stage {
    cx.ask(0, CATALOG_SHARD, Request::Coordinate { kind: CATALOG, message });
    Stage::Catalog
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

impl Operation for Change {
    fn answered(&mut self, cx: &mut Cx<'_>, slot: usize, answer: Result<Reply, KernelError>) -> Step {
        match &mut self.stage {
            Stage::Catalog => self.decided(cx, answer),
            Stage::Clearing(clearing, request) => {
                if clearing.answered(cx, answer) {
                    let request = std::mem::take(request);
                    self.stage = ask_catalog(cx, request);
                }
                Step::Wait
            }
            Stage::Forgetting(forgetting, body) => {
                let is_over = forgetting.answered(cx, answer);
                if is_over { finish(&self.head, body) } else { Step::Wait }
            }
            Stage::Logs(wait, body) => {
                let is_over = wait.answered(cx, slot, &answer);
                if is_over { finish(&self.head, body) } else { Step::Wait }
            }
        }
    }

    fn due(&mut self, cx: &mut Cx<'_>) -> Step {
        match &mut self.stage {
            Stage::Catalog => {}
            Stage::Clearing(forgetting, _) | Stage::Forgetting(forgetting, _) => forgetting.ask(cx),
            Stage::Logs(wait, _) => {
                wait.ask(cx);
            }
        }
        Step::Wait
    }
}

fn finish(head: &Head, body: &mut Bytes) -> Step {
    Step::Done(head.respond_body(std::mem::take(body)))
}

impl Change {
    /// The catalog has answered.
    fn decided(&mut self, cx: &mut Cx<'_>, answer: Result<Reply, KernelError>) -> Step {
        let mut body = match answer {
            Ok(Reply::Coordinated(body)) => body,
            Ok(_) => return self.refuse(ErrorCode::UnknownServerError),
            Err(error) => return self.refuse(coordinator_error(&error)),
        };
        if self.head.api == ApiKey::DeleteTopics {
            return match Forgetting::begin(cx) {
                Some(forgetting) => self.wait(Stage::Forgetting(forgetting, body)),
                None => finish(&self.head, &mut body),
            };
        }
        let catalog = cx.catalog();
        let topics = self.topics.iter().filter_map(|name| catalog.topic(name));
        let mut wait = LogWait::new(cx, topics.flat_map(|topic| logs_of(topic)));
        if wait.ask(cx) { finish(&self.head, &mut body) } else { self.wait(Stage::Logs(wait, body)) }
    }

    fn wait(&mut self, stage: Stage) -> Step {
        self.stage = stage;
        Step::Wait
    }

    fn refuse(&mut self, code: ErrorCode) -> Step {
        let refused = std::mem::replace(&mut self.refused, Box::new(|_, _| Finished::Silent));
        Step::Done(refused(&self.head, code))
    }
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
