//! How a connection ends.
//!
//! ```text
//!            violation                  drained
//!  Open ───────────────► Farewell ───────────────► shut ──► finished
//!   │  client ended, or stop           quiet          ▲  the peer closes, or a moment passes
//!   ├───────────────► Leaving ────────────────────────┘
//!   │  client broken           legacy has what it was sent
//!   └───────────────► Gone ──────────────────────────────► finished
//! ```
//!
//! Every state but `Open` has a deadline.

use std::io;
use std::time::Duration;

use kernel_model::Now;
use session::Violation;

/// How long the peer has to read our last bytes before its connection is dropped.
const LAST_BYTES: Duration = Duration::from_secs(1);
/// When the process stops, a connection on which nothing moved for this long has no request under way.
const STOP_QUIET: Duration = Duration::from_millis(250);

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// The client closed it.
    #[error("the client closed the connection")]
    ClientClosed,
    /// The session ended it.
    #[error("{0}")]
    Violation(Violation),
    /// The network did.
    #[error("connection broken: {0}")]
    Broken(String),
    /// The client took nothing for too long.
    #[error("the client takes nothing")]
    Stalled,
    /// Memory is short, and the connection held too much of it for too long.
    #[error("memory is short, and the connection moves less than it holds")]
    OutOfMemory,
    /// The process stops.
    #[error("shutting down")]
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    Leaving,
    Farewell,
    Gone,
}

/// The end of one connection, or that there is none yet.
#[derive(Debug, Default)]
pub(super) struct Closing {
    state: State,
    why: Option<Ending>,
    deadline: Option<Duration>,
    stopping: bool,
    client_ended: bool,
    shut: bool,
    finished: bool,
}

impl Closing {
    /// Whether the session still takes input that was read before.
    pub(super) fn takes(&self) -> bool {
        matches!(self.state, State::Open | State::Leaving)
    }

    /// Whether new input is wanted.
    pub(super) fn reads(&self) -> bool {
        self.state == State::Open && !self.stopping
    }

    /// Whether input is read only to be thrown away: a socket that is closed over unread bytes resets, and
    /// the peer would lose the farewell.
    pub(super) fn discards(&self) -> bool {
        self.state == State::Farewell && !self.client_ended
    }

    /// Whether the client's socket is of no use any more.
    pub(super) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Whether the process stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// When the next step is due at the latest.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    pub(super) fn finished(&self) -> Option<Ending> {
        self.finished.then(|| self.why.clone().unwrap_or(Ending::ClientClosed))
    }

    pub(super) fn client_ended(&mut self, now: Now, linger: Duration) {
        self.client_ended = true;
        if self.shut {
            self.finished = true;
        }
        self.begin(State::Leaving, Ending::ClientClosed, now.deadline(linger));
    }

    pub(super) fn client_failed(&mut self, error: &io::Error, now: Now, linger: Duration) {
        self.client_ended = true;
        self.begin(State::Gone, Ending::Broken(error.to_string()), now.deadline(linger));
        self.state = State::Gone;
    }

    pub(super) fn violated(&mut self, violation: Violation, now: Now, linger: Duration) {
        self.begin(State::Farewell, Ending::Violation(violation), now.deadline(linger));
        if self.state == State::Leaving {
            self.state = State::Farewell;
        }
    }

    pub(super) fn out_of_memory(&mut self) {
        self.why.get_or_insert(Ending::OutOfMemory);
        self.finished = true;
    }

    pub(super) fn stalled(&mut self) {
        self.why.get_or_insert(Ending::Stalled);
        self.finished = true;
    }

    /// The process stops at `deadline`.
    pub(super) fn stop(&mut self, deadline: Option<Duration>) {
        if let Some(deadline) = deadline {
            self.stopping = true;
            self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        }
    }

    fn begin(&mut self, state: State, why: Ending, deadline: Duration) {
        if self.state == State::Open {
            self.state = state;
            self.why.get_or_insert(why);
            self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        }
    }

    /// Our direction is closed; the peer has a moment to see it.
    pub(super) fn shut(&mut self, now: Now) {
        self.shut = true;
        if self.client_ended {
            self.finished = true;
        } else if self.deadline.is_none_or(|deadline| deadline > now.deadline(LAST_BYTES)) {
            self.deadline = Some(now.deadline(LAST_BYTES));
        }
        // What the peer still sends is thrown away.
        self.state = State::Farewell;
    }

    /// When a stopping connection is looked at again.
    pub(super) fn patience(&self, moved: Duration) -> Option<Duration> {
        (self.stopping && self.state == State::Open).then(|| moved + STOP_QUIET)
    }

    /// Time has come to `now`, and nothing has moved since `moved`.
    pub(super) fn pass(&mut self, now: Now, moved: Duration) {
        if self.stopping && self.state == State::Open && now.elapsed >= moved + STOP_QUIET {
            self.state = State::Leaving;
            self.why.get_or_insert(Ending::Stopped);
        }
        if self.deadline.is_some_and(|deadline| now.elapsed >= deadline) {
            if self.stopping {
                self.why.get_or_insert(Ending::Stopped);
            }
            self.finished = true;
        }
    }

    /// Whether legacy is to be told that nothing more comes. `answered`: nothing is under way here that could
    /// still become a request to it.
    pub(super) fn is_over_for_legacy(&self, answered: bool) -> bool {
        match self.state {
            State::Open => false,
            State::Leaving => answered,
            State::Farewell | State::Gone => true,
        }
    }

    /// Given what is left: closes, or says that our direction towards the client may be closed. `drained`:
    /// the client has everything; `quiet`: and no request is open; `legacy`: legacy may still answer;
    /// `sent`: legacy has everything.
    pub(super) fn settle(&mut self, drained: bool, quiet: bool, legacy: bool, sent: bool) -> bool {
        match self.state {
            State::Open => false,
            State::Leaving => quiet && !legacy,
            State::Farewell => drained,
            State::Gone => {
                self.finished |= sent || !legacy;
                false
            }
        }
    }
}
