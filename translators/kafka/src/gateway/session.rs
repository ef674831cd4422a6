//! The state of one proxied connection, and how it meets its driver.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kernel_model::{KernelError, Now};
use session::{
    Answer, Event, Held, LegacyAction, LegacyEvent, LegacyNode, Progress, Request, RequestId, Session,
    UnitId, Violation,
};

use super::canary::{Admitted, Namings};
use super::fetch::FetchSessions;
use super::kept::Wishes;
use super::pace::Paced;
use super::shared::{ClusterShared, Role};
use super::slots::{SlotId, Slots};
use super::upstream::{Merge, Passed, Taken, Upstream, take_whole};
use crate::access::Login;
use crate::audit::{Act, CONNECTION_ENDED};
use crate::canary::ReaderId;
use crate::codec::{ApiKey, Str, frame};
use crate::server::{Server, Ticket};

/// Our own requests carry this bit, to tell them from the server's.
const OWN_REQUEST: u64 = 1 << 63;
/// Bytes queued for the client before reading from legacy and the client stops.
const TRANSMIT_BYTES_MAX: usize = 4 << 20;

/// One client connection in front of a legacy cluster.
pub struct GatewaySession {
    pub(super) role: Role,
    pub(super) shared: Arc<ClusterShared>,
    pub(super) server: Server,
    pub(super) slots: Slots,
    pub(super) upstream: Upstream,
    pub(super) fetch_sessions: FetchSessions,
    /// The client as the canary sees it, and the client id that it said last.
    pub(super) reader: Option<(Str, ReaderId)>,
    pub(super) namings: Namings,
    /// The client has named its software, as clients do since KIP-511.
    pub(super) names_software: bool,
    pub(super) authenticated: bool,
    /// SASL mechanism that legacy agreed to.
    pub(super) mechanism: Option<String>,
    /// Who asked to be let in, while legacy has not said its last word on it.
    pub(super) claimed: Option<String>,
    /// The login that the kernel checks itself, once legacy is retired.
    pub(super) login: Login,
    pub(super) logins: u64,
    /// Writes with acks=0 that no barrier has followed yet.
    pub(super) unanswered: Vec<Passed>,
    pub(super) barrier_sent: bool,
    /// Until then nothing can be relayed: the kernel answers what it can.
    pub(super) legacy_back_at: Option<Duration>,
    /// Legacy is retired: what it owes is waited for until then.
    pub(super) last_answers_by: Option<Duration>,
    /// What to do with an answer of the server before it leaves.
    pub(super) finish: BTreeMap<SlotId, Merge>,
    /// What administrators have ordered, until it is answered.
    acts: BTreeMap<SlotId, Act>,
    held: Option<Waiting>,
    pub(super) paced: Option<Paced>,
    ahead: BTreeMap<SlotId, Ahead>,
    ahead_requests: BTreeMap<RequestId, (SlotId, UnitId)>,
    requests: VecDeque<(RequestId, Request)>,
    next_request: u64,
    transmit: VecDeque<Bytes>,
    transmit_bytes: usize,
    pub(super) events: VecDeque<Event>,
    used: BTreeSet<(i16, i16)>,
    client_named: bool,
    pub(super) close_after_answers: bool,
    quiet_since: Duration,
    greeted: bool,
    /// When the connection began.
    opened: Duration,
    /// Nothing but what belongs to a login has come. Where legacy alone can tell how a login ends, the client's next
    /// request shows that it has; and one that follows later, on a connection that was served, has no deadline.
    logging_in: bool,
    /// A violation found where none can be reported: the next call does.
    failed: Option<Violation>,
}

/// A frame that waits for its unit.
struct Waiting {
    request: RequestId,
    frame: Bytes,
}

/// An answer that waits for the kernel.
struct Ahead {
    answer: Vec<Bytes>,
    outstanding: usize,
    deadline: Duration,
}

impl GatewaySession {
    /// A new connection to the node that `role` names.
    #[must_use]
    pub fn new(role: Role, shared: Arc<ClusterShared>, mut server: Server, now: Now) -> Self {
        let host = server.client_host().to_owned();
        server.guard_copies(Box::new(Admitted::new(Arc::clone(&shared), &host)));
        server.take_spares_from(Box::new(Wishes(Arc::clone(&shared))));
        let node = match role {
            Role::Legacy(node) => node,
            Role::Kernel => LegacyNode::Any,
        };
        let authenticated = !shared.sasl;
        let mut server = server;
        server.set_realm(&shared.realm);
        if shared.sasl {
            server.offer_logins();
        }
        Self {
            role,
            shared,
            server,
            slots: Slots::default(),
            upstream: Upstream::new(node),
            fetch_sessions: FetchSessions::default(),
            reader: None,
            namings: Namings::default(),
            names_software: false,
            authenticated,
            mechanism: None,
            claimed: None,
            login: Login::default(),
            logins: 0,
            unanswered: Vec::new(),
            barrier_sent: false,
            legacy_back_at: None,
            last_answers_by: None,
            finish: BTreeMap::new(),
            acts: BTreeMap::new(),
            held: None,
            paced: None,
            ahead: BTreeMap::new(),
            ahead_requests: BTreeMap::new(),
            requests: VecDeque::new(),
            next_request: 0,
            transmit: VecDeque::new(),
            transmit_bytes: 0,
            events: VecDeque::new(),
            used: BTreeSet::new(),
            client_named: false,
            close_after_answers: false,
            quiet_since: now.elapsed,
            greeted: false,
            opened: now.elapsed,
            logging_in: !authenticated,
            failed: None,
        }
    }

    pub(super) fn own_request(&mut self, request: Request) -> RequestId {
        let id = RequestId(OWN_REQUEST | self.next_request);
        self.next_request += 1;
        self.requests.push_back((id, request));
        id
    }

    /// Has a request, or a part of one, served here. `frame` is without its size prefix.
    pub(super) fn serve_frame(&mut self, now: Now, slot: SlotId, frame: Bytes) -> Result<(), Violation> {
        let is_fetch = frame::peek_request(&frame).is_ok_and(|head| head.api() == Some(ApiKey::Fetch));
        self.slots.charge(slot, frame::memory_of(&frame), is_fetch);
        self.server.submit(now, slot.into(), frame)
    }

    /// Keeps a frame until its unit is released; nothing more is read meanwhile, so the order stays.
    pub(super) fn hold(&mut self, unit: UnitId, frame: Bytes) {
        let request = self.own_request(Request::Hold(unit));
        self.held = Some(Waiting { request, frame });
    }

    /// Sends an answer once the kernel holds all batches, or its deadline has passed.
    pub(super) fn wait_for_kernel(
        &mut self,
        now: Now,
        slot: SlotId,
        answer: Vec<Bytes>,
        batches: Vec<(UnitId, Request)>,
    ) {
        let deadline = now.deadline(self.shared.limits.dual_write);
        self.ahead.insert(slot, Ahead { answer, outstanding: batches.len(), deadline });
        for (unit, request) in batches {
            let id = self.own_request(request);
            self.ahead_requests.insert(id, (slot, unit));
        }
    }

    fn kernel_has(&mut self, slot: SlotId) {
        let Some(ahead) = self.ahead.get_mut(&slot) else { return };
        ahead.outstanding = ahead.outstanding.saturating_sub(1);
        if ahead.outstanding == 0
            && let Some(done) = self.ahead.remove(&slot)
        {
            self.slots.fill(slot, done.answer);
        }
    }

    /// Gives up waiting for the kernel where the deadline has passed: the client's answer is legacy's, and a
    /// slow kernel may only delay it.
    fn release_late(&mut self, now: Now) {
        let late: Vec<SlotId> = self
            .ahead
            .iter()
            .filter(|(_, each)| each.deadline <= now.elapsed)
            .map(|(slot, _)| *slot)
            .collect();
        for slot in late {
            if let Some(ahead) = self.ahead.remove(&slot) {
                self.slots.fill(slot, ahead.answer);
            }
            let missed: Vec<RequestId> =
                self.ahead_requests.iter().filter(|(_, (of, _))| *of == slot).map(|(id, _)| *id).collect();
            for id in missed {
                if let Some((_, unit)) = self.ahead_requests.remove(&id) {
                    let reason = "the kernel did not answer in time".to_owned();
                    self.events.push_back(Event::DualWriteMissed { unit, reason });
                }
            }
        }
    }

    /// Notes an API that the client uses, once.
    pub(super) fn observe(&mut self, api: i16, version: i16, client_id: Option<&Str>) {
        if self.used.insert((api, version)) {
            self.events.push_back(Event::Used { api, version });
        }
        if !self.client_named && api != ApiKey::ApiVersions.code() {
            self.name_client(client_id, None, None);
        }
    }

    /// Notes who the client is.
    pub(super) fn name_client(
        &mut self,
        client_id: Option<&Str>,
        software: Option<String>,
        version: Option<String>,
    ) {
        self.client_named = true;
        let id = client_id.map(|id| id.as_str().to_owned()).unwrap_or_default();
        self.events.push_back(Event::Client { id, software, version });
    }

    /// When a login, however many rounds it has, must have come to its end.
    fn login_deadline(&self) -> Option<Duration> {
        (self.logging_in && !self.authenticated).then(|| self.opened + self.shared.limits.handshake)
    }

    /// Takes frames from `input` while there is room for their answers.
    fn take_frames(&mut self, now: Now, input: &mut BytesMut) -> Result<Progress, Violation> {
        while self.wants_input() {
            let max = if self.authenticated {
                self.shared.limits.frame_bytes_max
            } else {
                self.shared.limits.frame_bytes_before_auth_max
            };
            match take_whole(input, max).map_err(Violation::Limit)? {
                Taken::Frame(frame) => {
                    self.greeted = true;
                    self.quiet_since = now.elapsed;
                    self.logging_in &= belongs_to_login(&frame);
                    self.take_order(now, frame)?;
                }
                Taken::Incomplete(wanted) => return Ok(Progress { paused: false, wanted }),
            }
        }
        Ok(Progress { paused: true, wanted: 0 })
    }

    /// Decides what happens to a frame, and notes it if an administrator orders something with it.
    fn take_order(&mut self, now: Now, frame: Bytes) -> Result<(), Violation> {
        let slot = self.slots.next();
        let act = Act::of(&frame.slice(4.min(frame.len())..));
        let outcome = self.dispatch(now, frame);
        if let Some(act) = act {
            match &outcome {
                Err(violation) => {
                    self.events.push_back(act.refused(self.server.who(), &violation.to_string()));
                }
                // Otherwise it is held, and comes again.
                Ok(()) if self.slots.next() > slot => drop(self.acts.insert(slot, act)),
                Ok(()) => {}
            }
        }
        outcome
    }

    /// Moves finished answers towards the client.
    pub(super) fn settle(&mut self) -> Result<(), Violation> {
        if let Some(violation) = self.server.poll_violation() {
            self.failed.get_or_insert(violation);
        }
        while let Some((kind, wait)) = self.server.poll_throttled() {
            self.events.push_back(Event::Throttled { quota: kind.key(), wait });
        }
        while let Some((ticket, response)) = self.server.poll_done() {
            let slot = SlotId(ticket.0);
            let answer = match (self.finish.remove(&slot), response) {
                (Some(merge), Some(parts)) => vec![merge(join(parts)).map_err(internal)?],
                (_, response) => response.unwrap_or_default(),
            };
            self.slots.fill(slot, answer);
        }
        while let Some((slot, answer)) = self.slots.take_ready() {
            if let Some(act) = self.acts.remove(&slot) {
                self.events.push_back(act.answered(self.server.who(), &answer));
            }
            for part in answer {
                self.transmit_bytes = self.transmit_bytes.saturating_add(part.len());
                self.transmit.push_back(part);
            }
        }
        // What legacy was sent with it has to have arrived: the barrier's answer says so.
        if self.close_after_answers && self.slots.len() == 0 && !self.upstream.owes() {
            return Err(Violation::Closed);
        }
        Ok(())
    }
}

/// Our own answer could not be built: the connection cannot go on.
pub(super) fn internal(error: impl std::fmt::Display) -> Violation {
    Violation::Legacy(format!("its answer could not be rewritten: {error}"))
}

fn join(parts: Vec<Bytes>) -> Bytes {
    let mut joined = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    for part in parts {
        joined.extend_from_slice(&part);
    }
    joined.freeze()
}

impl Session for GatewaySession {
    fn handle_input(&mut self, now: Now, input: &mut BytesMut) -> Result<Progress, Violation> {
        let progress = self.take_frames(now, input)?;
        self.settle()?;
        Ok(progress)
    }

    fn handle_reply(&mut self, now: Now, id: RequestId, answer: Result<Answer, KernelError>) {
        if id.0 & OWN_REQUEST == 0 {
            self.server.handle_reply(now, id, answer);
        } else if let Some((slot, unit)) = self.ahead_requests.remove(&id) {
            if let Err(error) = answer {
                let reason = error.to_string();
                self.events.push_back(Event::DualWriteMissed { unit, reason });
            }
            self.kernel_has(slot);
        } else if self.held.as_ref().is_some_and(|held| held.request == id)
            && let Some(held) = self.held.take()
            && let Err(violation) = self.take_order(now, held.frame)
        {
            self.failed.get_or_insert(violation);
        }
        if let Err(violation) = self.settle() {
            self.failed.get_or_insert(violation);
        }
    }

    fn handle_legacy(&mut self, now: Now, event: LegacyEvent<'_>) -> Result<Progress, Violation> {
        let progress = match event {
            LegacyEvent::Connected => {
                if self.shared.sasl && self.upstream.is_another() {
                    let reason = "the client has to log in anew over another connection".to_owned();
                    return Err(Violation::Legacy(reason));
                }
                self.upstream.connected();
                Progress::default()
            }
            LegacyEvent::Bytes(input) => self.take_answers(now, input)?,
            LegacyEvent::Closed(reason) => {
                self.legacy_closed(now, reason)?;
                Progress::default()
            }
            LegacyEvent::Retired => {
                self.last_answers_by = Some(now.deadline(self.shared.limits.last_answers));
                self.leave_retired();
                Progress::default()
            }
        };
        self.settle()?;
        Ok(progress)
    }

    fn handle_timeout(&mut self, now: Now) -> Result<(), Violation> {
        if let Some(violation) = self.failed.take() {
            return Err(violation);
        }
        self.serve_paced(now)?;
        let was_muted = self.server.is_muted();
        self.server.handle_timeout(now);
        if was_muted {
            // Its silence was ordered.
            self.quiet_since = now.elapsed;
        }
        self.release_late(now);
        self.give_up_legacy(now)?;
        self.settle()?;
        if !self.greeted && now.elapsed >= self.quiet_since + self.shared.limits.handshake {
            return Err(Violation::TimedOut("no request came"));
        }
        if self.login_deadline().is_some_and(|deadline| now.elapsed >= deadline) {
            return Err(Violation::TimedOut("no login came to an end"));
        }
        if self.slots.len() == 0 && now.elapsed >= self.quiet_since + self.shared.limits.idle {
            return Err(Violation::TimedOut("idle"));
        }
        Ok(())
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        let part = self.transmit.pop_front()?;
        self.transmit_bytes = self.transmit_bytes.saturating_sub(part.len());
        Some(part)
    }

    fn poll_request(&mut self) -> Option<(RequestId, Request)> {
        self.requests.pop_front().or_else(|| self.server.poll_request())
    }

    fn poll_legacy(&mut self) -> Option<LegacyAction> {
        self.upstream.poll()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn handle_end(&mut self) {
        for act in std::mem::take(&mut self.acts).into_values() {
            self.events.push_back(act.unanswered(self.server.who(), CONNECTION_ENDED));
        }
    }

    fn poll_timeout(&self) -> Option<Duration> {
        if self.failed.is_some() {
            return Some(Duration::ZERO);
        }
        let ahead = self.ahead.values().map(|ahead| ahead.deadline).min();
        let silence = if self.greeted { self.shared.limits.idle } else { self.shared.limits.handshake };
        let last_answers = self.last_answers_by.filter(|_| self.upstream.owes());
        let own = self.server.poll_timeout();
        let paced = self.paced.as_ref().map(|paced| paced.until);
        let quiet = (!self.server.is_muted()).then(|| self.quiet_since + silence);
        [quiet, self.login_deadline(), ahead, last_answers, own, paced].into_iter().flatten().min()
    }

    fn wants_input(&self) -> bool {
        self.held.is_none()
            && self.paced.is_none()
            && self.failed.is_none()
            && !self.server.is_muted()
            && !self.close_after_answers
            && self.slots.len() < self.shared.limits.in_flight_max
            && self.slots.bytes() < self.shared.limits.in_flight_bytes_max
            && self.slots.fetches() < self.shared.limits.fetches_in_flight_max
            && self.upstream.unsent_bytes() < self.shared.limits.unsent_bytes_max
            && self.transmit_bytes < TRANSMIT_BYTES_MAX
    }

    fn held(&self) -> Held {
        let waiting = self.held.as_ref().map_or(0, |waiting| waiting.frame.len());
        let paced = self.paced.as_ref().map_or(0, Paced::bytes);
        let ahead: usize = self.ahead.values().flat_map(|ahead| &ahead.answer).map(Bytes::len).sum();
        Held {
            requests: self.slots.bytes() + self.upstream.unsent_bytes() + waiting + paced,
            answers: self.slots.answered() + self.transmit_bytes + ahead,
        }
    }
}

/// Whether a client may send this before legacy knows it.
fn belongs_to_login(frame: &Bytes) -> bool {
    let api = frame.get(4..).map(|rest| frame::peek_request(&frame.slice_ref(rest)));
    let api = api.and_then(Result::ok).and_then(|head| head.api());
    matches!(api, Some(ApiKey::ApiVersions | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate))
}

impl From<SlotId> for Ticket {
    fn from(slot: SlotId) -> Self {
        Self(slot.0)
    }
}
