//! Fetch sessions (KIP-227): what a client fetches is remembered, so that it names only what changes and is
//! told only what changed. Sessions belong to their connection.

use std::collections::BTreeMap;

use super::encode::Answer;
use super::partition::{PartKey, Wanted};
use crate::errors::ErrorCode;
use crate::limits::Limits;

/// The epoch that asks for a new session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch that asks for none.
const FINAL_EPOCH: i32 = -1;

/// How a Fetch uses a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionUse {
    /// Not at all.
    None,
    /// The session was made by this request: everything is answered.
    New(i32),
    /// Only what changed is answered.
    Incremental(i32),
}

#[derive(Debug)]
struct Cached {
    wanted: Wanted,
    high_watermark: i64,
    log_start: i64,
}

#[derive(Debug)]
struct FetchSession {
    /// The epoch that the next request must have.
    epoch: i32,
    by_id: bool,
    /// Partitions in the order in which they are read. Those that brought records go to the end.
    order: BTreeMap<u64, Cached>,
    places: BTreeMap<PartKey, u64>,
    next_place: u64,
}

impl FetchSession {
    fn put(&mut self, wanted: Wanted) {
        if let Some(cached) = self.places.get(&wanted.key).and_then(|place| self.order.get_mut(place)) {
            cached.wanted = wanted;
            return;
        }
        self.places.insert(wanted.key.clone(), self.next_place);
        // Positions that no answer has: the first one is always told.
        self.order.insert(self.next_place, Cached { wanted, high_watermark: -2, log_start: -2 });
        self.next_place += 1;
    }

    fn remove(&mut self, key: &PartKey) {
        if let Some(place) = self.places.remove(key) {
            self.order.remove(&place);
        }
    }

    fn move_to_end(&mut self, key: &PartKey) {
        let Some(place) = self.places.get_mut(key) else { return };
        if let Some(cached) = self.order.remove(place) {
            *place = self.next_place;
            self.order.insert(self.next_place, cached);
            self.next_place += 1;
        }
    }

    /// Remembers what the client is told, and says whether it must be told.
    fn note(&mut self, key: &PartKey, answer: &Answer, told_anyway: bool) -> bool {
        let Some(cached) = self.places.get(key).and_then(|place| self.order.get_mut(place)) else {
            return true;
        };
        let Some(read) = &answer.read else {
            // An error is told every time; when it is over, the positions are told again.
            cached.high_watermark = -2;
            return true;
        };
        let has_records = read.bytes() > 0;
        let moved = cached.high_watermark != read.high_watermark || cached.log_start != read.log_start;
        cached.high_watermark = read.high_watermark;
        cached.log_start = read.log_start;
        if has_records {
            self.move_to_end(key);
        }
        told_anyway || has_records || moved || answer.diverging.is_some()
    }
}

/// The fetch sessions of one connection.
#[derive(Debug)]
pub(in crate::server) struct FetchSessions {
    sessions: BTreeMap<i32, FetchSession>,
    next_id: i32,
    sessions_max: usize,
    partitions_max: usize,
}

impl FetchSessions {
    /// No session yet. Ids start at a place that `seed` chooses, so that another connection's are unlikely
    /// to be taken for one of these.
    pub(in crate::server) fn new(limits: &Limits, seed: u64) -> Self {
        let [a, b, c, d, ..] = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        Self {
            sessions: BTreeMap::new(),
            next_id: (i32::from_be_bytes([a, b, c, d]) & i32::MAX).max(1),
            sessions_max: limits.fetch_sessions_max,
            partitions_max: limits.fetch_session_partitions_max,
        }
    }

    /// How a request uses a session, and all partitions that it is about.
    pub(super) fn open(
        &mut self,
        id: i32,
        epoch: i32,
        by_id: bool,
        wanted: Vec<Wanted>,
        forgotten: &[PartKey],
    ) -> Result<(SessionUse, Vec<Wanted>), ErrorCode> {
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            self.sessions.remove(&id);
            if epoch == FINAL_EPOCH {
                return Ok((SessionUse::None, wanted));
            }
            return Ok((self.create(by_id, &wanted), wanted));
        }
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.by_id != by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        for key in forgotten {
            session.remove(key);
        }
        for part in wanted {
            session.put(part);
        }
        if session.places.len() > self.partitions_max {
            self.sessions.remove(&id);
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        let all: Vec<Wanted> = session.order.values().map(|cached| cached.wanted.clone()).collect();
        if all.is_empty() {
            self.sessions.remove(&id);
            return Ok((SessionUse::None, all));
        }
        session.epoch = next_epoch(epoch);
        Ok((SessionUse::Incremental(id), all))
    }

    /// The session id of an answer that tells of no partition.
    pub(super) fn hold_back(&mut self, used: &SessionUse) -> i32 {
        match used {
            SessionUse::None => 0,
            SessionUse::New(id) => {
                self.sessions.remove(id);
                0
            }
            SessionUse::Incremental(id) => *id,
        }
    }

    fn create(&mut self, by_id: bool, wanted: &[Wanted]) -> SessionUse {
        let fits = self.sessions.len() < self.sessions_max && wanted.len() <= self.partitions_max;
        if !fits || wanted.is_empty() {
            return SessionUse::None;
        }
        let id = self.next_id;
        self.next_id = if id == i32::MAX { 1 } else { id + 1 };
        let mut session = FetchSession {
            epoch: INITIAL_EPOCH + 1,
            by_id,
            order: BTreeMap::new(),
            places: BTreeMap::new(),
            next_place: 0,
        };
        for part in wanted {
            session.put(part.clone());
        }
        self.sessions.insert(id, session);
        SessionUse::New(id)
    }

    /// The session id of the answer, and of the answers those that the client must be told.
    pub(super) fn close(
        &mut self,
        used: &SessionUse,
        mut answers: Vec<(PartKey, Answer)>,
    ) -> (i32, Vec<(PartKey, Answer)>) {
        let (id, told_anyway) = match used {
            SessionUse::None => return (0, answers),
            SessionUse::New(id) => (*id, true),
            SessionUse::Incremental(id) => (*id, false),
        };
        let Some(session) = self.sessions.get_mut(&id) else { return (0, answers) };
        answers.retain(|(key, answer)| session.note(key, answer, told_anyway));
        (id, answers)
    }
}

/// Epochs wrap to 1: 0 asks for a new session.
fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}
