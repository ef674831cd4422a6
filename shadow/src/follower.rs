//! One mirrored partition: where its copy stands, and what each answer of its leader means.
//!
//! ```text
//!  Locating ──► Following ──► Stopped(reason)
//!     ▲             │
//!     └─────────────┘  the kernel refused or lost a request: ask it where it stands
//!  Watching: the kernel leads; what legacy still gets is a divergence
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kernel_model::batch::{BatchError, fingerprint, split};
use kernel_model::reply::LogInfo;
use kernel_model::request::MirrorOrigin;
use kernel_model::{KernelError, LogId, Now, Offset, Request, VerifiedBatch};
use translator_kafka::codec::messages::fetch_response::PartitionData;
use translator_kafka::epochs::{EpochTable, patch_batches};
use translator_kafka::errors::ErrorCode;

use crate::chain::{Chain, ChainStatus};

/// Bytes of one partition that the kernel may still owe an answer for.
const UNANSWERED_BYTES_MAX: usize = 16 << 20;

/// Why a partition is no longer mirrored. An operator has to decide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    /// Legacy lost records that it had shown below its high watermark.
    #[error(
        "legacy was truncated to {end}, below the {confirmed} already mirrored (an unclean election, or a restored disk)"
    )]
    Truncated {
        /// Where legacy ends now.
        end: i64,
        /// What was confirmed.
        confirmed: u64,
    },
    /// Legacy shows other bytes than before at the same offset.
    #[error("legacy shows other bytes at {at} than before")]
    Conflict {
        /// Offset.
        at: u64,
    },
    /// The topic has another id now.
    #[error("the topic was deleted and created again")]
    Recreated,
    /// The topic is gone.
    #[error("the topic was deleted")]
    Deleted,
    /// A batch in a format before version 2.
    #[error("it holds records in a message format before version 2; rewrite them on legacy first")]
    OldFormat,
    /// A batch from legacy fails its own checksum.
    #[error("legacy sent a damaged batch at {at}: {error}")]
    Damaged {
        /// Offset from which was read.
        at: u64,
        /// What is wrong.
        error: BatchError,
    },
    /// The kernel refused what legacy sent.
    #[error("the kernel refused the mirror: {0}")]
    Refused(KernelError),
}

/// Where a partition's copy is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FollowerState {
    /// Its log is being created or asked for its ends.
    Locating,
    /// Copied.
    Following,
    /// The kernel leads: legacy's partition is read from the cut on, and nothing should come.
    Watching,
    /// No longer copied.
    Stopped(StopReason),
}

/// What the outside is told of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerStatus {
    /// State.
    pub state: FollowerState,
    /// First offset that legacy has.
    pub start: u64,
    /// Everything below is stored and final.
    pub confirmed: u64,
    /// Legacy's high watermark, as last seen.
    pub high_watermark: u64,
    /// How long the copy has been behind.
    pub behind_for: Duration,
    /// How long ago its leader last said where it ends; everything here is as of then.
    pub heard_ago: Duration,
    /// Leader epoch under which it was read last, as clients see it.
    pub epoch: i32,
    /// Bytes that are still to be copied, by the average of what has come; 0 before anything has.
    pub bytes_to_come: u64,
    /// Hash over what legacy has shown, once it is known where the copy stands.
    pub chain: Option<ChainStatus>,
}

/// What the follower wants done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing, or what it said in `take_request`.
    Fine,
    /// The view of the cluster is out of date.
    Refresh,
    /// The fetch offset lies outside: ask legacy for its ends.
    AskEnds,
    /// Legacy took writes that it should not have: how many records, from where.
    Bypassed { from: u64, records: u64 },
}

/// One mirrored partition.
pub(crate) struct Follower {
    pub(crate) leader: i32,
    /// Its epoch, by metadata: as legacy counts it. Everything else here is virtual.
    pub(crate) leader_epoch: i32,
    pub(crate) state: FollowerState,
    /// Watched by the reverse feed instead.
    rests: bool,
    log: Option<LogId>,
    next: u64,
    confirmed: u64,
    high_watermark: u64,
    start: u64,
    told: (u64, u64),
    /// Legacy has nothing between here and the next fetch: its log begins later now.
    skipped_from: Option<u64>,
    epochs: Arc<EpochTable>,
    last_epoch: i32,
    epoch: i32,
    unanswered_bytes: usize,
    /// Bytes of batches that have come, and the offsets that they covered.
    came: (u64, u64),
    behind_since: Option<Duration>,
    heard_at: Option<Duration>,
    retry_at: Option<Duration>,
    request: Option<(Request, usize)>,
    chain: Chain,
}

impl Follower {
    /// A partition whose log is not known yet.
    pub(crate) fn new(leader: i32, epoch: i32, epochs: Arc<EpochTable>) -> Self {
        Self {
            leader,
            leader_epoch: epoch,
            state: FollowerState::Locating,
            rests: false,
            log: None,
            next: 0,
            confirmed: 0,
            high_watermark: 0,
            start: 0,
            told: (0, 0),
            skipped_from: None,
            last_epoch: -1,
            epoch: epochs.virtual_now(epoch),
            epochs,
            unanswered_bytes: 0,
            came: (0, 0),
            behind_since: None,
            heard_at: None,
            retry_at: None,
            request: None,
            chain: Chain::default(),
        }
    }

    pub(crate) fn status(&self, now: Now) -> FollowerStatus {
        FollowerStatus {
            state: self.state.clone(),
            start: self.start,
            confirmed: self.confirmed,
            high_watermark: self.high_watermark,
            behind_for: self.behind_since.map_or(Duration::ZERO, |since| now.elapsed.saturating_sub(since)),
            heard_ago: self.heard_at.map_or(Duration::ZERO, |at| now.elapsed.saturating_sub(at)),
            epoch: self.epoch,
            bytes_to_come: self.bytes_to_come(),
            chain: self.chain.status(),
        }
    }

    fn bytes_to_come(&self) -> u64 {
        let behind = self.high_watermark.saturating_sub(self.confirmed);
        let (bytes, offsets) = self.came;
        let bytes = u128::from(behind) * u128::from(bytes);
        u64::try_from(bytes.checked_div(u128::from(offsets)).unwrap_or(0)).unwrap_or(u64::MAX)
    }

    pub(crate) fn log(&self) -> Option<LogId> {
        self.log
    }

    /// Its epochs are counted by this table from now on.
    pub(crate) fn count_by(&mut self, epochs: Arc<EpochTable>) {
        self.epochs = epochs;
    }

    /// Legacy's first offset, for a copy that holds nothing yet.
    pub(crate) fn begins_at(&mut self, start: u64) {
        self.start = start;
    }

    /// Its log is known; its ends are asked for next.
    pub(crate) fn locate(&mut self, log: LogId) {
        self.log = Some(log);
    }

    /// Whether the kernel is to be asked where the log ends.
    pub(crate) fn wants_ends(&mut self, now: Now) -> Option<LogId> {
        if self.state != FollowerState::Locating || self.retry_at.is_some_and(|at| at > now.elapsed) {
            return None;
        }
        // Asked once; asked again if no answer has come by then.
        self.retry_at = Some(now.deadline(Duration::from_secs(1)));
        self.log
    }

    pub(crate) fn retry_at(&self) -> Option<Duration> {
        self.retry_at.filter(|_| self.state == FollowerState::Locating && self.log.is_some())
    }

    /// The kernel said where the log stands: copying goes on from what is confirmed.
    pub(crate) fn located(&mut self, info: &LogInfo) {
        if self.state != FollowerState::Locating {
            return;
        }
        self.confirmed = info.durable_end.0;
        let is_empty = info.end.0 == 0;
        self.next = if is_empty { self.start } else { info.durable_end.0 };
        self.start = if is_empty { self.start } else { info.start.0 };
        self.last_epoch = if info.durable_end > info.start { info.epoch.0 } else { -1 };
        self.epoch = self.epoch.max(info.epoch.0);
        self.retry_at = None;
        self.skipped_from = None;
        self.chain.begin(self.confirmed, info.chain);
        self.state = FollowerState::Following;
    }

    /// The kernel leads, and the reverse feed looks after legacy: nothing is read.
    pub(crate) fn rest(&mut self) {
        self.state = FollowerState::Watching;
        self.rests = true;
        self.chain.forget();
    }

    /// The kernel leads from `cut` on.
    pub(crate) fn watch(&mut self, cut: u64) {
        self.state = FollowerState::Watching;
        self.rests = false;
        self.chain.forget();
        self.confirmed = self.confirmed.max(cut);
        self.next = cut;
        self.last_epoch = -1;
    }

    /// Asks the kernel again where the log stands, after a moment.
    pub(crate) fn relocate(&mut self, now: Now) {
        if self.state == FollowerState::Following || self.state == FollowerState::Watching {
            self.state = FollowerState::Locating;
        }
        self.retry_at = Some(now.deadline(Duration::from_millis(100)));
    }

    pub(crate) fn stop(&mut self, reason: StopReason) {
        self.state = FollowerState::Stopped(reason);
        self.request = None;
    }

    /// Whether it is not known yet from where to fetch.
    pub(crate) fn is_locating(&self) -> bool {
        matches!(self.state, FollowerState::Locating)
    }

    /// What to fetch: offset and the epoch of the last record held, as legacy counts it (−1: unknown, or the
    /// kernel's).
    pub(crate) fn fetch_position(&self) -> Option<(u64, i32)> {
        match self.state {
            FollowerState::Following if self.unanswered_bytes < UNANSWERED_BYTES_MAX => {
                Some((self.next, self.epochs.real_of(self.last_epoch).unwrap_or(-1)))
            }
            FollowerState::Watching if !self.rests => Some((self.next, -1)),
            FollowerState::Watching
            | FollowerState::Following
            | FollowerState::Locating
            | FollowerState::Stopped(_) => None,
        }
    }

    /// Takes what the leader answered to a fetch from `from`.
    pub(crate) fn fetched(&mut self, now: Now, from: u64, epoch: i32, answer: &PartitionData) -> Outcome {
        if self.fetch_position().is_none_or(|(next, _)| next != from) {
            // Positions moved while the fetch was under way; it is repeated from the new one.
            return Outcome::Fine;
        }
        match ErrorCode::from_code(answer.error_code) {
            Some(ErrorCode::None) => {
                self.epoch = self.epoch.max(self.epochs.virtual_now(epoch));
                self.take_records(now, from, answer)
            }
            Some(ErrorCode::OffsetOutOfRange) => Outcome::AskEnds,
            _ => Outcome::Refresh,
        }
    }

    fn take_records(&mut self, now: Now, from: u64, answer: &PartitionData) -> Outcome {
        let watermark = u64::try_from(answer.high_watermark).unwrap_or(0);
        if answer.diverging_epoch.end_offset >= 0 && answer.diverging_epoch.epoch >= 0 {
            let end = answer.diverging_epoch.end_offset;
            self.stop(StopReason::Truncated { end, confirmed: self.confirmed });
            return Outcome::Fine;
        }
        // A leader that was just elected may not know yet what was replicated under the one before: it tells less than
        // consumers have seen, and gives nothing above. What legacy has really lost shows as an offset out of range, or as
        // another epoch there.
        self.high_watermark = self.high_watermark.max(watermark);
        self.heard_at = Some(now.elapsed);
        self.note_lag(now);
        let batches = match self.read_batches(from, answer.records.clone().unwrap_or_default()) {
            Ok(batches) => batches,
            Err(reason) => {
                self.stop(reason);
                return Outcome::Fine;
            }
        };
        self.see_epoch(&batches);
        if self.state == FollowerState::Watching {
            return self.bypassed(from, &batches);
        }
        for batch in &batches {
            self.chain.show(batch.header(), fingerprint(batch.header(), batch.bytes()));
        }
        self.chain.settle(self.high_watermark);
        self.hand_over(from, batches, u64::try_from(answer.log_start_offset).unwrap_or(0));
        Outcome::Fine
    }

    fn read_batches(&self, from: u64, records: Bytes) -> Result<Vec<VerifiedBatch>, StopReason> {
        let mut rest = self.counted(records);
        let batches = split(&mut rest).map_err(|error| match error {
            BatchError::Magic(_) => StopReason::OldFormat,
            BatchError::Incomplete | BatchError::Length(_) | BatchError::Checksum | BatchError::Negative => {
                StopReason::Damaged { at: from, error }
            }
        })?;
        Ok(batches.into_iter().filter(|batch| batch.header().end_offset().0 > from).collect())
    }

    /// The batches under virtual epochs: the copy has to go on in the kernel's.
    fn counted(&self, records: Bytes) -> Bytes {
        if self.epochs.is_identity() {
            return records;
        }
        let mut patched = BytesMut::from(records);
        patch_batches(&self.epochs, &mut patched);
        patched.freeze()
    }

    fn see_epoch(&mut self, batches: &[VerifiedBatch]) {
        if let Some(last) = batches.last() {
            self.last_epoch = last.header().leader_epoch.0;
            self.epoch = self.epoch.max(self.last_epoch);
        }
    }

    fn bypassed(&mut self, from: u64, batches: &[VerifiedBatch]) -> Outcome {
        let Some(last) = batches.last() else { return Outcome::Fine };
        self.next = last.header().end_offset().0;
        let records = batches.iter().map(|batch| u64::from(batch.header().record_count)).sum();
        Outcome::Bypassed { from, records }
    }

    fn hand_over(&mut self, from: u64, batches: Vec<VerifiedBatch>, start: u64) {
        self.start = start;
        let told = (self.high_watermark, start);
        let (Some(log), true) = (self.log, !batches.is_empty() || told != self.told) else { return };
        self.told = told;
        if let Some(last) = batches.last() {
            self.next = last.header().end_offset().0;
        }
        self.next = self.next.max(start);
        let from = self.skipped_from.take().map_or(from, |skipped| skipped.min(from));
        let bytes = batches.iter().map(|batch| batch.bytes().len()).sum();
        self.unanswered_bytes += bytes;
        let came = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.came.0 = self.came.0.saturating_add(came);
        if !batches.is_empty() {
            self.came.1 = self.came.1.saturating_add(self.next.saturating_sub(from));
        }
        let request = Request::Mirror {
            log,
            batches,
            origin: MirrorOrigin::Feed,
            from: Some(Offset(from)),
            confirm: Some(Offset(self.high_watermark)),
            start: Some(Offset(start)),
        };
        self.request = Some((request, bytes));
    }

    /// Bytes that the kernel still owes an answer for.
    pub(crate) fn unanswered_bytes(&self) -> usize {
        self.unanswered_bytes
    }

    /// The request that `fetched` made, with its size in bytes.
    pub(crate) fn take_request(&mut self) -> Option<(Request, usize)> {
        self.request.take()
    }

    /// The kernel has taken a request of `bytes`.
    pub(crate) fn mirrored(&mut self, now: Now, bytes: usize, confirmed: Offset) {
        self.unanswered_bytes = self.unanswered_bytes.saturating_sub(bytes);
        self.confirmed = self.confirmed.max(confirmed.0);
        self.note_lag(now);
    }

    /// The kernel has refused a request of `bytes`.
    pub(crate) fn refused(&mut self, now: Now, bytes: usize, error: KernelError) {
        self.unanswered_bytes = self.unanswered_bytes.saturating_sub(bytes);
        if self.state != FollowerState::Following {
            return;
        }
        if let KernelError::MirrorConflict { at } = error {
            self.stop(StopReason::Conflict { at: at.0 });
        } else if matches!(error, KernelError::Invalid(_) | KernelError::Damaged(_)) {
            self.stop(StopReason::Refused(error));
        } else {
            // Lost, not there yet, or no room: the kernel says where it stands, and copying goes on from there.
            self.relocate(now);
        }
    }

    /// Legacy's ends, after a fetch out of range.
    pub(crate) fn ends(&mut self, earliest: i64, latest: i64) {
        let (first, end) = (u64::try_from(earliest).unwrap_or(0), u64::try_from(latest).unwrap_or(0));
        if self.state == FollowerState::Watching {
            self.next = end;
        } else if end < self.next {
            self.stop(StopReason::Truncated { end: latest, confirmed: self.confirmed });
        } else if first > self.next {
            // Legacy's own retention has overtaken the copy: both sides begin where legacy begins now. The next
            // fetch says so to the kernel, together with the batch in which that offset lies.
            self.next = first;
            self.high_watermark = self.high_watermark.max(first);
        }
    }

    fn note_lag(&mut self, now: Now) {
        if self.confirmed >= self.high_watermark || self.state == FollowerState::Watching {
            self.behind_since = None;
        } else if self.behind_since.is_none() {
            self.behind_since = Some(now.elapsed);
        }
    }
}
