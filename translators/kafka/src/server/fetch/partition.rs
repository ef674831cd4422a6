//! One partition of a Fetch: what the client wants of it, and what was read.

use bytes::Bytes;
use kernel_model::reply::{Chunk, Records};
use kernel_model::request::ReadLimit;
use kernel_model::{KernelError, LogEpoch, LogId, Offset, Reply, Request};

use super::encode::{Answer, Read};
use crate::catalog::Catalog;
use crate::codec::{Str, Uuid};
use crate::errors::ErrorCode;
use crate::server::copies::CopyReaders;
use crate::server::offsets::check_epoch;

/// A topic as the version of the request names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TopicKey {
    Name(Str),
    Id(Uuid),
}

/// A partition as the request names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PartKey {
    pub(super) topic: TopicKey,
    pub(super) partition: i32,
}

/// What the client wants of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) key: PartKey,
    pub(super) offset: i64,
    /// Negative sizes are refused: `None`.
    pub(super) bytes_max: Option<usize>,
    pub(super) current_epoch: i32,
    pub(super) last_fetched_epoch: i32,
}

/// A partition of a Fetch under way.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) wanted: Wanted,
    /// Its log, while it may be read.
    pub(super) log: Option<LogId>,
    epoch: LogEpoch,
    /// The end that was seen; growth beyond it is worth another read.
    pub(super) seen_end: Option<Offset>,
    /// How many bytes the read may bring.
    pub(super) planned: usize,
    /// It was asked of its shard, and the answer is not here.
    pub(super) asked: bool,
    /// Legacy leads it: the client reads the kernel's copy.
    copy: bool,
    /// The client's position lies above what the copy has confirmed.
    ahead: bool,
    /// Why the client has to go back to the leader.
    back: Option<&'static str>,
    /// The leader's node, where it is another node.
    leader: Option<i32>,
    error: ErrorCode,
    /// It was refused before its log was looked for.
    unread: bool,
    diverging: Option<(LogEpoch, Offset)>,
    /// The epoch of the last fetched record was compared with the log's.
    compared: bool,
    read: Option<Read>,
}

impl Part {
    /// Looks a partition up. Partitions that are mirrored may be read too, by those that are admitted: up to what is
    /// confirmed.
    pub(super) fn find(
        catalog: &Catalog,
        copies: Option<&dyn CopyReaders>,
        client_id: &str,
        wanted: Wanted,
    ) -> Self {
        let topic = match &wanted.key.topic {
            TopicKey::Name(name) => catalog.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition),
            TopicKey::Id(id) => catalog.topic_by_id(*id).ok_or(ErrorCode::UnknownTopicId),
        };
        let found = topic.map_err(Missing::from).and_then(|topic| {
            let partition = topic.partition(wanted.key.partition);
            let partition = *partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
            if partition.is_led() || copies.is_none() {
                check_epoch(wanted.current_epoch, partition.epoch).map_err(|code| (code, partition.epoch))?;
            }
            Ok(partition)
        });
        let mut part = Self {
            compared: wanted.last_fetched_epoch < 0,
            wanted,
            log: None,
            epoch: LogEpoch(-1),
            seen_end: None,
            planned: 0,
            asked: false,
            copy: false,
            ahead: false,
            back: None,
            leader: None,
            error: ErrorCode::None,
            unread: false,
            diverging: None,
            read: None,
        };
        match found {
            Ok(partition) => {
                part.epoch = partition.epoch;
                if part.wanted.bytes_max.is_none() {
                    part.refuse_size();
                    return part;
                }
                part.log = Some(partition.log);
                part.copy = !partition.is_led() && copies.is_some();
                if let Some(copies) = copies.filter(|_| part.copy) {
                    part.ask_admission(copies, client_id);
                }
            }
            Err(Missing { code, epoch }) => {
                part.error = code;
                part.unread = matches!(code, ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId);
                part.epoch = epoch;
            }
        }
        part
    }

    /// Makes it one that the client may not read.
    pub(super) fn deny(&mut self) {
        self.log = None;
        self.unread = true;
        self.epoch = LogEpoch(-1);
        self.error = ErrorCode::TopicAuthorizationFailed;
        // Neither read nor sent anywhere.
        (self.copy, self.back) = (false, None);
    }

    /// A negative size was asked for.
    pub(super) fn refuse_size(&mut self) {
        self.fail(ErrorCode::UnknownServerError);
        (self.copy, self.back) = (false, None);
    }

    /// Bytes that were read.
    pub(super) fn bytes(&self) -> usize {
        self.read.as_ref().map_or(0, Read::bytes)
    }

    /// Whether the client should hear of it at once.
    pub(super) fn is_urgent(&self) -> bool {
        !self.error.is_none() || self.diverging.is_some() || self.back.is_some()
    }

    /// Makes ready for another read.
    pub(super) fn forget(&mut self) {
        self.read = None;
        self.ahead = false;
    }

    /// Keeps the positions alone.
    pub(super) fn drop_records(&mut self) {
        if let Some(read) = &mut self.read {
            read.chunks.clear();
            read.aborted.clear();
        }
    }

    /// What the log is asked: first, where its epoch ended that the client read last.
    pub(super) fn question(&self, log: LogId, first: bool, limit: ReadLimit) -> Request {
        if !self.compared {
            return Request::FindEpochEnd { log, epoch: LogEpoch(self.wanted.last_fetched_epoch) };
        }
        // A negative offset lies before every log's start: the kernel answers which range there is.
        let from = Offset::from_i64(self.wanted.offset).unwrap_or(Offset(u64::MAX));
        Request::Read { log, from, bytes_max: self.planned, at_least_one: first, limit, epoch: None }
    }

    /// Takes an answer; may ask once more.
    pub(super) fn answered(
        &mut self,
        answer: Result<Reply, KernelError>,
        first: bool,
        limit: ReadLimit,
    ) -> Option<Request> {
        match answer {
            Ok(Reply::EpochEnd(end)) if !self.compared => {
                self.compared = true;
                self.compare(end);
                let log = self.log.filter(|_| !self.is_urgent())?;
                return Some(self.question(log, first, limit));
            }
            Ok(Reply::Records(records)) => self.take(records, limit),
            Err(error) if self.copy => self.doubt(&error),
            Ok(_) => self.fail(ErrorCode::UnknownServerError),
            Err(error) => self.fail(ErrorCode::from(&error)),
        }
        None
    }

    /// Whether the kernel does not lead it.
    pub(super) fn is_copy(&self) -> bool {
        self.copy
    }

    /// Whether the client waits for what the copy has not confirmed yet.
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead && self.back.is_none()
    }

    /// Asks whether the client may read the copy, at the beginning and before the answer goes out.
    pub(super) fn ask_admission(&mut self, copies: &dyn CopyReaders, client_id: &str) {
        let (name, id) = match &self.wanted.key.topic {
            TopicKey::Name(name) => (name.as_str(), Uuid::ZERO),
            TopicKey::Id(id) => ("", *id),
        };
        let epoch = self.wanted.current_epoch;
        let admission = copies.admit(client_id, name, id, self.wanted.key.partition, epoch);
        self.leader = admission.leader;
        if let Some(why) = admission.back {
            self.send_back(why);
        }
    }

    /// The client has to go back to the leader.
    pub(super) fn send_back(&mut self, why: &'static str) {
        self.back.get_or_insert(why);
        self.read = None;
        self.diverging = None;
        let named = self.leader.is_some();
        self.fail(if named { ErrorCode::None } else { ErrorCode::NotLeaderOrFollower });
    }

    /// Why the client goes back to the leader, if it does.
    pub(super) fn goes_back(&self) -> Option<&'static str> {
        self.back
    }

    /// What the copy could not give.
    fn doubt(&mut self, error: &KernelError) {
        let KernelError::OffsetOutOfRange { start, end } = error else {
            let passing = error.is_retriable();
            return self.send_back(if passing {
                "the kernel does not answer"
            } else {
                "the copy cannot be read"
            });
        };
        let position = Offset::from_i64(self.wanted.offset).unwrap_or(Offset(0));
        if position > *end && end >= start {
            self.ahead = true;
            self.seen_end = Some(*end);
        } else {
            self.send_back("the position lies before the copy");
        }
    }

    fn fail(&mut self, code: ErrorCode) {
        self.error = code;
        self.log = None;
    }

    /// KIP-595: an epoch that ended before the client's position, or that the log never had, diverges.
    fn compare(&mut self, end: Option<(LogEpoch, Offset)>) {
        let Some((epoch, end)) = end else {
            if self.copy {
                return self.send_back("the epochs differ");
            }
            return self.fail(ErrorCode::OffsetOutOfRange);
        };
        let position = Offset::from_i64(self.wanted.offset).unwrap_or(Offset(0));
        if epoch.0 < self.wanted.last_fetched_epoch || end < position {
            if self.copy {
                return self.send_back("the epochs differ");
            }
            self.diverging = Some((epoch, end));
        }
    }

    fn take(&mut self, records: Records, limit: ReadLimit) {
        let seen = if limit == ReadLimit::Stable { records.stable_end } else { records.durable_end };
        self.seen_end = Some(seen);
        self.read = Some(Read {
            high_watermark: records.durable_end.as_i64(),
            last_stable: records.stable_end.as_i64(),
            log_start: records.start.as_i64(),
            aborted: records.aborted,
            chunks: records.chunks.into_iter().filter_map(in_memory).collect(),
        });
    }

    /// What the client is told.
    pub(super) fn into_answer(self, own: i32, limit: ReadLimit) -> (PartKey, Answer) {
        let mut answer = Answer::of_error(self.error);
        if self.error == ErrorCode::FencedLeaderEpoch {
            answer.leader = Some((own, self.epoch.0));
        }
        if self.back.is_some() {
            answer.elsewhere = self.leader;
        }
        answer.diverging = self.diverging.map(|(epoch, end)| (epoch.0, end.as_i64()));
        answer.with_aborted = limit == ReadLimit::Stable;
        answer.unread = self.unread;
        if self.error.is_none() {
            answer.read = self.read;
        }
        (self.wanted.key, answer)
    }
}

/// Why a partition cannot be read, and its epoch if it is known.
struct Missing {
    code: ErrorCode,
    epoch: LogEpoch,
}

impl From<ErrorCode> for Missing {
    fn from(code: ErrorCode) -> Self {
        Self { code, epoch: LogEpoch(-1) }
    }
}

impl From<(ErrorCode, LogEpoch)> for Missing {
    fn from((code, epoch): (ErrorCode, LogEpoch)) -> Self {
        Self { code, epoch }
    }
}

/// Drivers read stored chunks before they hand a reply over.
fn in_memory(chunk: Chunk) -> Option<Bytes> {
    match chunk {
        Chunk::Hot(bytes) => Some(bytes),
        Chunk::Cold(_) => None,
    }
}
