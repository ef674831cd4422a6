//! Drives one session over its sockets.
//!
//! The one place where bytes, timers, the kernel's answers and the connection to legacy meet a
//! [`Session`]. It knows no protocol. Each turn waits for one thing to happen, hands it to the session, and
//! drains what the session wants, with a budget, so that no client starves the rest.
//!
//! Reading from a peer stops while the session is paused, while too much waits to be written to the other
//! side, while too many requests are open, and while a shard has no room: backpressure ends at the socket.

mod ending;
pub(crate) mod memory;
mod outward;
pub(crate) mod requests;
mod socket;
#[cfg(test)]
mod tests;
mod wire;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kernel_model::{KernelError, Now};
use session::{Answer, Event, LegacyAction, LegacyEvent, Progress, RequestId, Session, Violation};
use tokio::sync::watch;

pub use ending::Ending;
pub use memory::Memory;
pub use socket::Socket;

use crate::clock::{Clock, Timer};
use crate::holds::HoldRegistry;
use crate::legacy::LegacyCluster;
use crate::shards::Shards;
use ending::Closing;
use memory::{Level, Share, Tenure};
use outward::{Outward, OutwardEvent};
use requests::Requests;
use wire::{Wire, WireEvent};

/// How many rounds of polling one turn takes before others get theirs.
const ROUNDS_MAX: usize = 64;
/// Answers that are handed over in one turn.
const ANSWERS_MAX: usize = 64;
/// A connection without traffic gives its buffer back after this.
const IDLE_BUFFER_AFTER: Duration = Duration::from_secs(2);
/// A session whose timeout stays due is asked again only after this.
const TIMEOUT_PAUSE: Duration = Duration::from_millis(1);

/// Names a connection within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Takes what sessions observe.
pub trait Observer: Send + Sync {
    /// A connection has begun.
    fn opened(&self, id: ConnectionId, peer: SocketAddr);
    /// Its session has observed something.
    fn observed(&self, id: ConnectionId, event: Event);
    /// It is over.
    fn closed(&self, id: ConnectionId, ending: &Ending);
}

/// How much one connection may hold and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriverLimits {
    /// Bytes that wait for one peer; reading from the other stops beyond.
    pub transmit_bytes_max: usize,
    /// Requests without an answer.
    pub requests_in_flight_max: usize,
    /// Bytes read and not taken: the session's frame limit, and a little.
    pub input_bytes_max: usize,
    /// A peer that takes nothing for this long is gone.
    pub stall: Duration,
    /// How long the end of a connection may take: the farewell, answers to a peer that sends no more.
    pub linger: Duration,
    /// Connecting to legacy, TLS included.
    pub connect: Duration,
    /// How long a connection may hold memory and move nothing, while memory is short.
    pub patience: Duration,
}

impl DriverLimits {
    /// The driver's part of the configured limits.
    #[must_use]
    pub fn of(limits: &config::Limits) -> Self {
        Self {
            transmit_bytes_max: limits.transmit_bytes_max,
            requests_in_flight_max: limits.requests_in_flight_max,
            input_bytes_max: limits.frame_bytes_max.saturating_add(512 * 1024),
            stall: Duration::from_millis(limits.idle_ms_max),
            linger: Duration::from_secs(5),
            connect: Duration::from_millis(limits.connect_ms_max),
            patience: Duration::from_secs(10),
        }
    }
}

/// What every connection of the process shares.
pub struct Surroundings {
    /// Time.
    pub clock: Clock,
    /// The kernel.
    pub shards: Shards,
    /// Writes that wait for fenced units.
    pub holds: Arc<HoldRegistry>,
    /// Who is told what sessions observe.
    pub observer: Arc<dyn Observer>,
    /// Bounds.
    pub limits: DriverLimits,
    /// What requests and answers of all connections may hold.
    pub memory: Arc<Memory>,
    /// How much moves.
    pub traffic: Traffic,
    /// Turns to a deadline (monotonic) when the process stops; connections are done by then.
    pub stop: watch::Receiver<Option<Duration>>,
}

/// Bytes over all connections, TLS not counted.
#[derive(Clone)]
pub struct Traffic {
    /// Read from clients.
    pub from_clients: metrics::Counter,
    /// Written to clients.
    pub to_clients: metrics::Counter,
}

impl Traffic {
    /// Counters that nobody reads.
    #[must_use]
    pub fn uncounted() -> Self {
        Self { from_clients: metrics::Counter::noop(), to_clients: metrics::Counter::noop() }
    }
}

/// One accepted connection.
pub struct Connection {
    /// Its name.
    pub id: ConnectionId,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Its socket, TLS handshake done.
    pub socket: Socket,
    /// The cluster behind it, if there is one.
    pub legacy: Option<Arc<LegacyCluster>>,
}

/// Drives `session` until its connection is over.
pub async fn drive(session: Box<dyn Session>, connection: Connection, around: Arc<Surroundings>) -> Ending {
    let id = connection.id;
    around.observer.opened(id, connection.peer);
    let ending = Driver::new(session, connection, &around).run().await;
    around.observer.closed(id, &ending);
    ending
}

/// What happened while waiting.
enum Wake {
    Client(WireEvent),
    Legacy(OutwardEvent),
    Answer(RequestId, Result<Answer, KernelError>),
    Room,
    /// There may be memory again.
    Memory,
    Time,
    Stop,
    /// Legacy is contacted no more.
    Retired,
    /// The budget ran out; there is more to do at once.
    More,
}

/// Waits until a cluster is retired: for ever where there is none, or that is known.
async fn retired(retirement: &mut Option<watch::Receiver<bool>>) {
    if let Some(retirement) = retirement
        && retirement.wait_for(|retired| *retired).await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// The connection's part in the memory of all.
struct Holding {
    requests: Share,
    answers: Share,
    tenure: Tenure,
    /// Bytes that went through either socket, either way.
    passed: u64,
    may_read_client: bool,
    may_read_legacy: bool,
}

impl Holding {
    fn new(memory: &Arc<Memory>) -> Self {
        Self {
            requests: Share::of_requests(memory),
            answers: Share::of_answers(memory),
            tenure: Tenure::default(),
            passed: 0,
            may_read_client: true,
            may_read_legacy: true,
        }
    }

    /// Whether anything is counted.
    fn is_held(&self) -> bool {
        self.requests.is_held() || self.answers.is_held()
    }

    /// When the connection has to go, as long as memory is short.
    fn end(&self) -> Option<Duration> {
        self.tenure.end()
    }

    /// Waits until what may not be read now may be.
    async fn room(&self) {
        match (self.may_read_client, self.may_read_legacy) {
            (true, true) => std::future::pending().await,
            (false, true) => self.requests.room().await,
            (true, false) => self.answers.room().await,
            (false, false) => {
                tokio::select! {
                    () = self.requests.room() => {}
                    () = self.answers.room() => {}
                }
            }
        }
    }
}

struct Driver<'a> {
    id: ConnectionId,
    session: Box<dyn Session>,
    client: Wire,
    /// Input is left that a paused session has not looked at.
    unseen: bool,
    outward: Outward,
    /// Turns true when the cluster is retired; `None` without a cluster, and once it is known.
    retirement: Option<watch::Receiver<bool>>,
    requests: Requests,
    closing: Closing,
    memory: Holding,
    timer: Timer,
    /// When bytes last moved, on either side.
    moved: Duration,
    /// When an idle connection last gave its buffers back. Under TLS a read needs one again at once.
    released: Duration,
    /// A session whose timeout stayed due is not asked before this.
    ask_after: Duration,
    around: &'a Surroundings,
}

impl<'a> Driver<'a> {
    fn new(session: Box<dyn Session>, connection: Connection, around: &'a Surroundings) -> Self {
        Self {
            id: connection.id,
            session,
            client: Wire::new(connection.socket),
            unseen: false,
            retirement: connection.legacy.as_ref().map(|legacy| legacy.retirement()),
            outward: Outward::new(connection.legacy, around.limits.connect),
            requests: Requests::new(around.limits.requests_in_flight_max),
            closing: Closing::default(),
            memory: Holding::new(&around.memory),
            timer: Timer::new(around.clock),
            moved: around.clock.now().elapsed,
            released: Duration::ZERO,
            ask_after: Duration::ZERO,
            around,
        }
    }

    async fn run(mut self) -> Ending {
        let mut stop = self.around.stop.clone();
        // A connection that begins while the process stops must see it.
        stop.mark_changed();
        let ending = loop {
            let now = self.around.clock.now();
            let more = self.pump(now);
            self.advance_end(now);
            self.account(now);
            if let Some(ending) = self.closing.finished() {
                break ending;
            }
            let wake = self.wait(more, &mut stop).await;
            let now = self.around.clock.now();
            self.handle(now, wake);
        };
        self.session.handle_end();
        while let Some(event) = self.session.poll_event() {
            self.around.observer.observed(self.id, event);
        }
        self.requests.close(self.around);
        ending
    }

    /// Drains what the session wants; true if the budget ended it.
    fn pump(&mut self, now: Now) -> bool {
        for _ in 0..ROUNDS_MAX {
            let resumed = self.resume_input(now);
            let drained = self.drain(now);
            if !resumed && !drained {
                return false;
            }
        }
        true
    }

    /// One round over everything that the session can want; true if it wanted anything.
    fn drain(&mut self, now: Now) -> bool {
        let transmit_bytes_max = self.around.limits.transmit_bytes_max;
        let mut wanted = false;
        while self.client.output_bytes() < transmit_bytes_max {
            let Some(bytes) = self.session.poll_transmit() else { break };
            self.client.push(bytes);
            wanted = true;
        }
        while self.requests.has_room() {
            let Some((id, request)) = self.session.poll_request() else { break };
            self.requests.open(id, request, self.around);
            wanted = true;
        }
        while self.outward.output_bytes() < transmit_bytes_max {
            let Some(action) = self.session.poll_legacy() else { break };
            self.act(now, action);
            wanted = true;
        }
        while let Some(event) = self.session.poll_event() {
            self.around.observer.observed(self.id, event);
            wanted = true;
        }
        wanted
    }

    fn act(&mut self, now: Now, action: LegacyAction) {
        match action {
            LegacyAction::Connect(node) => self.outward.connect(node),
            LegacyAction::Transmit(bytes) => self.outward.transmit(bytes),
            LegacyAction::Close => self.outward.close(),
        }
        if let Some(why) = self.outward.take_refusal() {
            let outcome = self.session.handle_legacy(now, LegacyEvent::Closed(why));
            self.judge_legacy(now, outcome);
        }
    }

    async fn wait(&mut self, more: bool, stop: &mut watch::Receiver<Option<Duration>>) -> Wake {
        let read_client = self.reads_client();
        let read_legacy = self.reads_legacy();
        let deadline = self.deadline();
        let alive = !self.closing.is_gone();
        let stopping = self.closing.is_stopping();
        let Self { client, outward, retirement, requests, memory, timer, around, .. } = self;
        let (answer, room) = requests.waits(&around.shards);
        let memory = memory.room();
        tokio::select! {
            biased;
            (id, answer) = answer => Wake::Answer(id, answer),
            event = poll_fn(|cx| client.poll(cx, read_client)), if alive => Wake::Client(event),
            event = poll_fn(|cx| outward.poll(cx, read_legacy)) => Wake::Legacy(event),
            () = room => Wake::Room,
            () = memory => Wake::Memory,
            () = poll_fn(|cx| timer.poll(cx, deadline)) => Wake::Time,
            // Whoever can stop the process holds the other end; without it nothing will.
            Ok(()) = stop.changed(), if !stopping => Wake::Stop,
            () = retired(retirement) => Wake::Retired,
            () = tokio::task::yield_now(), if more => Wake::More,
        }
    }

    fn reads_client(&self) -> bool {
        let limit = self.around.limits.transmit_bytes_max;
        let has_room = self.requests.has_room()
            && self.memory.may_read_client
            && self.client.output_bytes() < limit
            && self.outward.output_bytes() < limit;
        let wanted = self.closing.reads() && !self.unseen && self.session.wants_input() && has_room;
        wanted || self.closing.discards()
    }

    fn reads_legacy(&self) -> bool {
        self.outward.may_read()
            && self.memory.may_read_legacy
            && self.client.output_bytes() < self.around.limits.transmit_bytes_max
    }

    /// When something is due: the session's own timeout, the end, a stalled peer, an idle buffer.
    fn deadline(&self) -> Option<Duration> {
        let stall = (!self.client.is_drained()).then(|| self.moved + self.around.limits.stall);
        let idle =
            self.client.holds_idle_buffer() || self.requests.holds_idle_channel() || self.memory.is_held();
        let idle = idle.then(|| self.moved.max(self.released) + IDLE_BUFFER_AFTER);
        let own = self.session.poll_timeout().map(|due| due.max(self.ask_after));
        let patience = self.closing.patience(self.moved);
        [own, self.closing.deadline(), patience, stall, idle, self.memory.end()].into_iter().flatten().min()
    }

    fn handle(&mut self, now: Now, wake: Wake) {
        match wake {
            Wake::Client(event) => self.handle_client(now, event),
            Wake::Legacy(event) => self.handle_outward(now, event),
            Wake::Answer(id, answer) => self.handle_answers(now, id, answer),
            Wake::Room => self.requests.retry(self.around),
            Wake::Time => self.handle_time(now),
            Wake::Stop => self.closing.stop(*self.around.stop.borrow()),
            Wake::Retired => self.leave_legacy(now),
            Wake::More | Wake::Memory => {}
        }
    }

    fn handle_client(&mut self, now: Now, event: WireEvent) {
        self.moved = now.elapsed;
        match event {
            WireEvent::Read(count) => {
                self.memory.passed += count as u64;
                self.around.traffic.from_clients.increment(count as u64);
                self.offer(now);
            }
            WireEvent::Wrote(count) => {
                self.memory.passed += count as u64;
                self.around.traffic.to_clients.increment(count as u64);
            }
            WireEvent::Ended => self.closing.client_ended(now, self.around.limits.linger),
            WireEvent::Shut => self.closing.shut(now),
            WireEvent::Failed(error) => self.closing.client_failed(&error, now, self.around.limits.linger),
        }
    }

    /// Lets the session take from the client's input.
    fn offer(&mut self, now: Now) {
        if !self.closing.takes() {
            // The farewell is said: what still comes is only read so that the peer sees it.
            self.client.input.clear();
            return;
        }
        let outcome = self.session.handle_input(now, &mut self.client.input);
        match outcome {
            Ok(progress) => self.took(now, progress),
            Err(violation) => self.violated(violation, now),
        }
    }

    fn took(&mut self, now: Now, progress: Progress) {
        self.unseen = progress.paused && !self.client.input.is_empty();
        self.client.expect(progress.wanted);
        if self.client.input.len() > self.around.limits.input_bytes_max {
            let violation = Violation::Limit("too many bytes without a whole frame".to_owned());
            self.violated(violation, now);
        }
    }

    /// Offers what a paused session has left, once it is not paused any more; true if that changed anything.
    fn resume_input(&mut self, now: Now) -> bool {
        let mut resumed = false;
        if self.unseen && self.session.wants_input() && self.closing.takes() {
            self.offer(now);
            resumed = true;
        }
        if self.outward.is_paused() {
            let before = self.outward.input().map_or(0, |input| input.len());
            self.offer_legacy(now);
            let after = self.outward.input().map_or(0, |input| input.len());
            resumed |= before != after || !self.outward.is_paused();
        }
        resumed
    }

    fn handle_outward(&mut self, now: Now, event: OutwardEvent) {
        self.moved = now.elapsed;
        let outcome = match event {
            OutwardEvent::Connected => self.session.handle_legacy(now, LegacyEvent::Connected),
            OutwardEvent::Read(count) => {
                self.memory.passed += count as u64;
                return self.offer_legacy(now);
            }
            OutwardEvent::Wrote(count) => {
                self.memory.passed += count as u64;
                return;
            }
            OutwardEvent::Closed(why) => self.session.handle_legacy(now, LegacyEvent::Closed(&why)),
        };
        self.judge_legacy(now, outcome);
    }

    fn leave_legacy(&mut self, now: Now) {
        self.retirement = None;
        let outcome = self.session.handle_legacy(now, LegacyEvent::Retired);
        self.judge_legacy(now, outcome);
    }

    fn offer_legacy(&mut self, now: Now) {
        let Some(input) = self.outward.input() else { return };
        let outcome = self.session.handle_legacy(now, LegacyEvent::Bytes(input));
        if let Ok(progress) = &outcome {
            let excess = self.outward.took(*progress) > self.around.limits.input_bytes_max;
            if excess {
                let violation = Violation::Legacy("too many bytes without a whole frame".to_owned());
                self.violated(violation, now);
            }
        }
        self.judge_legacy(now, outcome);
    }

    fn judge_legacy(&mut self, now: Now, outcome: Result<Progress, Violation>) {
        if let Err(violation) = outcome {
            self.violated(violation, now);
        }
    }

    fn violated(&mut self, violation: Violation, now: Now) {
        if violation == Violation::LeaseLost {
            // Without the lease not one more byte may reach legacy, queued ones included.
            self.outward.close();
        }
        self.closing.violated(violation, now, self.around.limits.linger);
    }

    fn handle_answers(&mut self, now: Now, id: RequestId, answer: Result<Answer, KernelError>) {
        self.reply(now, id, answer);
        for _ in 1..ANSWERS_MAX {
            let Some((id, answer)) = self.requests.next_answer() else { return };
            self.reply(now, id, answer);
        }
    }

    fn reply(&mut self, now: Now, id: RequestId, answer: Result<Answer, KernelError>) {
        if let Some(answer) = self.requests.settle(id, answer, &self.around.memory) {
            self.session.handle_reply(now, id, answer);
        }
    }

    /// Counts what the connection holds, and decides whether it may read more, and whether it has to go.
    fn account(&mut self, now: Now) {
        let level = self.around.memory.level();
        self.client.be_sparing(level != Level::Free);
        self.outward.be_sparing(level != Level::Free);
        let held = self.session.held();
        let requests = held.requests + self.outward.output_bytes();
        let answers = held.answers + self.client.output_bytes();
        let (input, answer) = (self.client.input_memory(), self.outward.input_memory());
        let memory = &mut self.memory;
        memory.may_read_client = memory.requests.cover(requests + input.held, requests + input.needed);
        memory.may_read_legacy = memory.answers.cover(answers + answer.held, answers + answer.needed);
        // What the kernel has is not the peers' to move, nor is input that the session has no room for.
        let unread = if self.unseen { 0 } else { input.held };
        let theirs = unread + self.outward.output_bytes() + answer.held + answers;
        if memory.tenure.is_over(now.elapsed, level, theirs, memory.passed, self.around.limits.patience) {
            self.closing.out_of_memory();
        }
    }

    fn handle_time(&mut self, now: Now) {
        if self.session.poll_timeout().is_some_and(|due| due <= now.elapsed) {
            let outcome = self.session.handle_timeout(now);
            if let Err(violation) = outcome {
                self.violated(violation, now);
            }
            self.ask_after = now.deadline(TIMEOUT_PAUSE);
        }
        if now.elapsed >= self.moved.max(self.released) + IDLE_BUFFER_AFTER {
            self.released = now.elapsed;
            self.client.release_idle();
            self.outward.release_idle();
            self.requests.release_idle();
        }
        if !self.client.is_drained() && now.elapsed >= self.moved + self.around.limits.stall {
            self.closing.stalled();
        }
    }

    /// Moves the end on, once there is one.
    fn advance_end(&mut self, now: Now) {
        self.closing.pass(now, self.moved);
        let answered = self.requests.is_empty() && !self.unseen;
        if self.closing.is_over_for_legacy(answered) {
            self.outward.shut_down();
        }
        let drained = self.client.is_drained();
        let quiet = drained && answered;
        let (legacy, sent) = (self.outward.is_open(), self.outward.is_drained());
        if self.closing.settle(drained, quiet, legacy, sent) {
            self.client.shut_down();
        }
    }
}
