//! The catalog's coordinator: owns the cluster id, the topics with their configuration, and the producer
//! ids. Hosted by shard 0 alone.
//!
//! One message is worked on at a time, against the state that the one before it left, because every answer
//! depends on what exists. A change is one commit: keys here, logs here and (through the outbox) in other
//! shards. Once it is durable the new snapshot is published and the answer goes out.
//!
//! ```text
//! keys   c topic/<name>   JSON of a topic        c next-log        i64   number of the next log
//!        c cluster-id     text                   c next-producer   i64   first id of the next block
//!        c unforgotten/<name>   topic id of a deleted topic whose offsets groups may still hold
//! ```
//!
//! Groups commit offsets by name, in every shard. A deleted topic's name is therefore taken until all of them
//! have said that they forgot (`CatalogMessage::OffsetsForgotten`), also over a restart. Whoever deletes asks
//! them; if that does not succeed, whoever creates a topic of that name, or deletes any, asks again.

mod alter;
mod create;
mod draft;
mod internal;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kernel_model::coordinator::{CommitId, KvRead, MessageId};
use kernel_model::{Commit, Coordinator, KernelError, Now, Op, Output};

pub(crate) use self::create::check_name;
use self::draft::{Draft, State};
use crate::catalog::{Catalog, CatalogHandle, Topic};
use crate::codec::messages::{
    AlterConfigsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    IncrementalAlterConfigsRequest, InitProducerIdRequest, InitProducerIdResponse,
};
use crate::codec::{ApiKey, DecodeError, EncodeError, Message, Uuid, frame};
use crate::coordinator::message::CatalogMessage;
use crate::errors::ErrorCode;

/// The kernel's own producer ids begin here; legacy clusters count up from 0 and never come this far.
pub const PRODUCER_ID_BASE: i64 = 1 << 62;
/// Ids made durable at once; what is left of a block is dropped at a restart.
const PRODUCER_ID_BLOCK: i64 = 1000;
/// Messages that may wait for the one before them.
const WAITING_MAX: usize = 4096;

/// What the catalog is told at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogSettings {
    /// The cluster's id, if none is stored yet.
    pub cluster_id: String,
    /// Over how many shards new partitions are spread.
    pub shards: u16,
    /// This node's id, for replica assignments.
    pub node_id: i32,
    /// Partitions of a topic whose creator does not say.
    pub partitions_default: i32,
    /// Most partitions of one topic.
    pub topic_partitions_max: usize,
    /// Most topics.
    pub topics_max: usize,
    /// Random bits from which topic ids grow; different at every start.
    pub seed: u64,
}

impl Default for CatalogSettings {
    fn default() -> Self {
        Self {
            cluster_id: "sluice".to_owned(),
            shards: 1,
            node_id: 1,
            partitions_default: 1,
            topic_partitions_max: 10_000,
            topics_max: 20_000,
            seed: 0,
        }
    }
}

/// Builds the answer once it is known whether the commit was taken.
pub(in crate::coordinator) type Answer = Box<dyn FnOnce(Result<(), &KernelError>) -> Bytes + Send>;

/// The coordinator. See the module.
pub struct CatalogCoordinator {
    settings: CatalogSettings,
    handle: CatalogHandle,
    state: State,
    producer_ids: Range<i64>,
    random: Random,
    /// What is stored cannot be read: nothing is served, so that nothing wrong is.
    unreadable: Option<String>,
    waiting: VecDeque<(MessageId, Bytes)>,
    pending: Option<Pending>,
    outputs: VecDeque<Output>,
    commits: u64,
}

struct Pending {
    commit: CommitId,
    message: Option<MessageId>,
    state: State,
    producer_ids: Range<i64>,
    answer: Answer,
}

impl CatalogCoordinator {
    /// A coordinator that publishes to `handle`.
    #[must_use]
    pub fn new(settings: CatalogSettings, handle: CatalogHandle) -> Self {
        Self {
            random: Random(settings.seed),
            settings,
            handle,
            state: State::default(),
            producer_ids: 0..0,
            unreadable: None,
            waiting: VecDeque::new(),
            pending: None,
            outputs: VecDeque::new(),
            commits: 0,
        }
    }

    /// Why the stored catalog could not be read, if so.
    #[must_use]
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    fn read_state(&mut self, stored: &dyn KvRead) -> Result<bool, String> {
        let mut catalog = Catalog::default();
        let known = stored.get(draft::CLUSTER_ID_KEY);
        let fresh = known.is_none();
        catalog.cluster_id = match known {
            Some(id) => String::from_utf8(id.to_vec()).map_err(|error| error.to_string())?,
            None => self.settings.cluster_id.clone(),
        };
        for (key, value) in stored.scan(draft::TOPIC_PREFIX) {
            let name = key.get(draft::TOPIC_PREFIX.len()..).unwrap_or_default();
            let name = std::str::from_utf8(name).map_err(|error| error.to_string())?;
            catalog.put(Arc::new(Topic::from_stored(name, &value)?));
        }
        for (key, value) in stored.scan(draft::UNFORGOTTEN_PREFIX) {
            let name = key.get(draft::UNFORGOTTEN_PREFIX.len()..).unwrap_or_default();
            let name = std::str::from_utf8(name).map_err(|error| error.to_string())?;
            let id = value.first_chunk::<16>().ok_or_else(|| format!("deleted topic {name}: no id"))?;
            catalog.note_unforgotten(name.into(), Uuid(*id));
        }
        self.state.catalog = Arc::new(catalog);
        self.state.next_log = draft::read_number(stored.get(draft::NEXT_LOG_KEY)).unwrap_or(0);
        let next = draft::read_number(stored.get(draft::NEXT_PRODUCER_KEY));
        self.state.next_producer = next.unwrap_or(PRODUCER_ID_BASE);
        Ok(fresh)
    }

    /// Works on waiting messages until one needs a commit.
    fn advance(&mut self) {
        while self.pending.is_none()
            && let Some((id, message)) = self.waiting.pop_front()
        {
            self.work(id, message);
        }
    }

    fn work(&mut self, id: MessageId, message: Bytes) {
        if self.unreadable.is_some() {
            self.outputs.push_back(Output::Reply { id, message: Bytes::new() });
            return;
        }
        let ids = self.producer_ids.clone();
        let mut draft = Draft::new(&self.settings, &self.state, &mut self.random, ids);
        let answer = if let Some(internal) = CatalogMessage::from_bytes(&message) {
            internal::apply(&mut draft, internal)
        } else {
            kafka(&mut draft, message).unwrap_or_else(|_unreadable| Box::new(|_| Bytes::new()))
        };
        let (state, producer_ids, ops) = draft.finish();
        if ops.is_empty() {
            self.producer_ids = producer_ids;
            self.outputs.push_back(Output::Reply { id, message: answer(Ok(())) });
            return;
        }
        let commit = self.commit(ops);
        self.pending = Some(Pending { commit, message: Some(id), state, producer_ids, answer });
    }

    fn commit(&mut self, ops: Vec<Op>) -> CommitId {
        self.commits += 1;
        let id = CommitId(self.commits);
        self.outputs.push_back(Output::Commit { id, commit: Commit::of(ops) });
        id
    }
}

impl Coordinator for CatalogCoordinator {
    fn restore(&mut self, _now: Now, state: &dyn KvRead) {
        match self.read_state(state) {
            Err(error) => self.unreadable = Some(error),
            Ok(false) => self.handle.publish(self.state.catalog.clone()),
            Ok(true) => {
                let id = Bytes::copy_from_slice(self.state.catalog.cluster_id.as_bytes());
                let put =
                    Op::KvPut { key: Bytes::from_static(draft::CLUSTER_ID_KEY), value: id, expires_ms: None };
                let commit = self.commit(vec![put]);
                self.pending = Some(Pending {
                    commit,
                    message: None,
                    state: self.state.clone(),
                    producer_ids: 0..0,
                    answer: Box::new(|_| Bytes::new()),
                });
            }
        }
    }

    fn handle_message(&mut self, _now: Now, id: MessageId, message: Bytes) {
        if self.waiting.len() >= WAITING_MAX {
            self.outputs.push_back(Output::Reply { id, message: Bytes::new() });
            return;
        }
        self.waiting.push_back((id, message));
        self.advance();
    }

    fn handle_commit(&mut self, _now: Now, id: CommitId, outcome: Result<(), KernelError>) {
        let Some(pending) = self.pending.take_if(|pending| pending.commit == id) else { return };
        if outcome.is_ok() {
            self.state = pending.state;
            self.producer_ids = pending.producer_ids;
            self.handle.publish(self.state.catalog.clone());
        }
        if let Some(id) = pending.message {
            let message = (pending.answer)(outcome.as_ref().map(|_done| ()));
            self.outputs.push_back(Output::Reply { id, message });
        }
        self.advance();
    }

    fn handle_timer(&mut self, _now: Now, _key: Bytes, _action: Bytes) {}

    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        None
    }
}

/// Works on a Kafka request frame.
fn kafka(draft: &mut Draft<'_>, message: Bytes) -> Result<Answer, DecodeError> {
    let (header, reader) = frame::read_request_header(message)?;
    let version = header.request_api_version;
    let api = ApiKey::from_code(header.request_api_key);
    Ok(if api == Some(ApiKey::CreateTopics) {
        create::topics(draft, &CreateTopicsRequest::decode_request(reader, version)?, version)
    } else if api == Some(ApiKey::CreatePartitions) {
        create::partitions(draft, &CreatePartitionsRequest::decode_request(reader, version)?, version)
    } else if api == Some(ApiKey::DeleteTopics) {
        alter::delete_topics(draft, &DeleteTopicsRequest::decode_request(reader, version)?, version)
    } else if api == Some(ApiKey::IncrementalAlterConfigs) {
        let request = IncrementalAlterConfigsRequest::decode_request(reader, version)?;
        alter::incremental(draft, &request, version)
    } else if api == Some(ApiKey::AlterConfigs) {
        alter::replace(draft, &AlterConfigsRequest::decode_request(reader, version)?, version)
    } else if api == Some(ApiKey::InitProducerId) {
        producer_id(draft, &InitProducerIdRequest::decode_request(reader, version)?, version)
    } else {
        return Err(DecodeError::UnknownApi(header.request_api_key));
    })
}

fn producer_id(draft: &mut Draft<'_>, request: &InitProducerIdRequest, version: i16) -> Answer {
    if let Some(transactional_id) = &request.transactional_id {
        // Transactions are not served yet: a fatal answer, so that the client stops and says so.
        let no_id = transactional_id.is_empty();
        let refusal = if no_id { ErrorCode::InvalidRequest } else { crate::server::NO_TRANSACTIONS };
        let error_code = refusal.code();
        let refused = InitProducerIdResponse { error_code, producer_epoch: -1, ..Default::default() };
        return Box::new(move |_| body(refused.to_bytes(version)));
    }
    let producer_id = draft.next_producer_id();
    Box::new(move |outcome| {
        let response = match outcome {
            Ok(()) => InitProducerIdResponse { producer_id, ..Default::default() },
            Err(error) => InitProducerIdResponse {
                error_code: commit_error(error).code(),
                producer_epoch: -1,
                ..Default::default()
            },
        };
        body(response.to_bytes(version))
    })
}

/// What an administrator is told when the commit was not taken: all of these are retried.
fn commit_error(error: &KernelError) -> ErrorCode {
    let code = crate::errors::coordinator_error(error);
    if code == ErrorCode::UnknownServerError { code } else { ErrorCode::KafkaStorageError }
}

/// The bytes of a response body. One that its version cannot express is this process's fault and is
/// answered as a message that cannot be read: the connection closes.
fn body(encoded: Result<Bytes, EncodeError>) -> Bytes {
    encoded.unwrap_or_default()
}

/// Splitmix64: spreads the seed over as many topic ids as are needed.
pub(in crate::coordinator) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
