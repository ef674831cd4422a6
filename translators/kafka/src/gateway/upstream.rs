//! The connection to legacy: what was sent, and what each answer means.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use session::{Entry, LegacyAction, LegacyNode};

use super::fetch::FetchPlan;
use super::produce::AheadBatch;
use super::rewrite::{Asked, RewriteError};
use super::route::Unit;
use super::slots::SlotId;
use crate::codec::messages::AlterUserScramCredentialsRequest;
use crate::codec::{ApiKey, Str};

/// A write that passed its unit's gate; dropped when its answer has come or can no longer come.
#[derive(Debug)]
pub(super) struct Passed(Arc<Unit>);

impl Passed {
    /// Asks the unit's gate.
    pub(super) fn enter(unit: &Arc<Unit>) -> Result<Self, Entry> {
        match unit.gate.enter() {
            Entry::Legacy => Ok(Self(Arc::clone(unit))),
            refused @ (Entry::Held | Entry::Kernel) => Err(refused),
        }
    }

    /// What the gate has let pass already.
    pub(super) fn entered(unit: &Arc<Unit>) -> Self {
        Self(Arc::clone(unit))
    }

    /// Asks the unit's gate for a request within an open transaction, which a fence lets come to its end.
    pub(super) fn enter_to_end(unit: &Arc<Unit>) -> Result<Self, Entry> {
        match unit.gate.enter_to_end() {
            Entry::Legacy => Ok(Self(Arc::clone(unit))),
            refused @ (Entry::Held | Entry::Kernel) => Err(refused),
        }
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        self.0.gate.leave();
    }
}

/// Puts legacy's answer and our own part together.
pub(super) type Merge = Box<dyn FnOnce(Bytes) -> Result<Bytes, RewriteError> + Send>;

/// What to do with an answer of legacy.
pub(super) enum Then {
    /// Send it on as it is.
    Forward,
    /// Rewrite nodes and leaders.
    Rewrite(Asked),
    /// Add the owners that were taken out of the request, after rewriting.
    Merge(Asked, Merge),
    /// Dual-write what it acknowledges, after merging.
    Produce(Vec<AheadBatch>, Option<Merge>),
    /// Note the fetch session, after merging.
    Fetch(FetchPlan, Option<Merge>),
    /// Note the SASL mechanism that the client asked for, if legacy agrees.
    Mechanism(String),
    /// Keep the users that it takes.
    Users(AlterUserScramCredentialsRequest),
    /// Note whether the client is authenticated, who asked to be with this message.
    Authenticate(Bytes),
    /// Note that an id's transaction has ended, if legacy says so.
    Ended(Arc<Unit>, Str),
}

/// An answer that legacy owes.
pub(super) struct Expected {
    /// Where the client waits for it (`None`: we asked on our own account).
    pub(super) slot: Option<SlotId>,
    pub(super) correlation: i32,
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) then: Then,
    /// Held until the answer is here.
    pub(super) passed: Vec<Passed>,
    /// The request, where it may be answered by the kernel should legacy be gone.
    pub(super) retry: Option<Bytes>,
}

/// State of the connection to legacy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unused,
    Connecting,
    Open,
    Gone,
}

/// The connection to legacy.
pub(super) struct Upstream {
    node: LegacyNode,
    state: State,
    actions: VecDeque<LegacyAction>,
    waiting: VecDeque<Bytes>,
    expected: VecDeque<Expected>,
    unsent_bytes: usize,
    /// There was another one before.
    is_another: bool,
}

impl Upstream {
    /// A connection to `node`, opened with the first request.
    pub(super) fn new(node: LegacyNode) -> Self {
        Self {
            node,
            state: State::Unused,
            actions: VecDeque::new(),
            waiting: VecDeque::new(),
            expected: VecDeque::new(),
            unsent_bytes: 0,
            is_another: false,
        }
    }

    /// The next request opens another connection, where this one is gone.
    pub(super) fn reopen(&mut self) {
        if self.state == State::Gone {
            (self.state, self.is_another) = (State::Unused, true);
        }
    }

    /// Whether it is not the first one: whoever logged in over that is not known on it.
    pub(super) fn is_another(&self) -> bool {
        self.is_another
    }

    /// Sends a request, connecting first if need be.
    pub(super) fn send(&mut self, whole: Bytes, expected: Option<Expected>) {
        self.expected.extend(expected);
        match self.state {
            State::Open => self.actions.push_back(LegacyAction::Transmit(whole)),
            State::Unused => {
                self.state = State::Connecting;
                self.actions.push_back(LegacyAction::Connect(self.node));
                self.keep(whole);
            }
            State::Connecting => self.keep(whole),
            // The caller looks first whether it is there.
            State::Gone => {}
        }
    }

    fn keep(&mut self, whole: Bytes) {
        self.unsent_bytes = self.unsent_bytes.saturating_add(whole.len());
        self.waiting.push_back(whole);
    }

    /// The connection stands: what waited goes out.
    pub(super) fn connected(&mut self) {
        self.state = State::Open;
        self.unsent_bytes = 0;
        self.actions.extend(self.waiting.drain(..).map(LegacyAction::Transmit));
    }

    /// The connection is gone. Returns what was owed.
    pub(super) fn closed(&mut self) -> VecDeque<Expected> {
        self.state = State::Gone;
        self.waiting.clear();
        self.actions.clear();
        std::mem::take(&mut self.expected)
    }

    /// Whether an answer is outstanding.
    pub(super) fn owes(&self) -> bool {
        !self.expected.is_empty()
    }

    /// Closes the connection from this side. Returns what was owed. Said again before the first close was carried
    /// out, it changes nothing.
    pub(super) fn close(&mut self) -> VecDeque<Expected> {
        if self.state == State::Gone {
            return std::mem::take(&mut self.expected);
        }
        let was_used = self.state != State::Unused;
        let owed = self.closed();
        if was_used {
            self.actions.push_back(LegacyAction::Close);
        }
        owed
    }

    /// The answer owed longest.
    pub(super) fn next_expected(&mut self) -> Option<Expected> {
        self.expected.pop_front()
    }

    /// Next thing to do on the connection.
    pub(super) fn poll(&mut self) -> Option<LegacyAction> {
        self.actions.pop_front()
    }

    /// Bytes that wait for the connection.
    pub(super) fn unsent_bytes(&self) -> usize {
        self.unsent_bytes
    }
}

/// Cuts a whole frame, size prefix included, from the front of `input`.
///
/// The error says what is wrong with the size.
pub(super) fn take_whole(input: &mut BytesMut, frame_bytes_max: usize) -> Result<Taken, String> {
    let Some(prefix) = input.first_chunk::<4>() else { return Ok(Taken::Incomplete(0)) };
    let claimed = i32::from_be_bytes(*prefix);
    let size = usize::try_from(claimed).map_err(|_negative| format!("frame of size {claimed}"))?;
    if size > frame_bytes_max {
        return Err(format!("frame of {size} bytes where {frame_bytes_max} are allowed"));
    }
    let whole = size.saturating_add(4);
    if input.len() < whole {
        return Ok(Taken::Incomplete(whole - input.len()));
    }
    Ok(Taken::Frame(input.split_to(whole).freeze()))
}

/// What `take_whole` found.
pub(super) enum Taken {
    /// A frame.
    Frame(Bytes),
    /// So many bytes are missing (0: not known yet).
    Incomplete(usize),
}
