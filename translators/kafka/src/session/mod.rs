//! The session of a client that is connected to a stand-alone kernel node: framing, the order of responses,
//! deadlines. What requests mean is the [`Server`]'s business.
//!
//! Requests are worked on as they come, up to a bound; responses leave in the order of the requests, as
//! Kafka promises its clients.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kernel_model::{KernelError, Now};
use session::{
    Answer, Event, Held, LegacyAction, LegacyEvent, Progress, Request, RequestId, Session, Violation,
};

use crate::audit::{Act, CONNECTION_ENDED};
use crate::codec::messages::ApiVersionsRequest;
use crate::codec::{ApiKey, Message, frame};
use crate::server::{ClusterView, Server, ServerSettings, Ticket};

const SIZE_PREFIX: usize = 4;

/// The session. See the module.
pub struct KafkaSession {
    settings: Arc<ServerSettings>,
    server: Server,
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
    fetches_in_flight: usize,
    transmit: VecDeque<Bytes>,
    queued_bytes: usize,
    /// Answers that wait for one before them.
    waiting_bytes: usize,
    next_ticket: u64,
    greeted: bool,
    last_input: Duration,
    /// Why the connection ends once the requests before are answered.
    closing: Option<Violation>,
    seen: BTreeSet<(i16, i16)>,
    events: VecDeque<Event>,
}

struct InFlight {
    ticket: Ticket,
    /// Memory that the request takes until it is answered.
    bytes: usize,
    is_fetch: bool,
    /// What an administrator orders with it.
    act: Option<Act>,
    response: Option<Vec<Bytes>>,
}

impl KafkaSession {
    /// A session that begins at `now`. `client_host` is the client's address, as group coordinators show it;
    /// `seed` are bits that differ between connections.
    #[must_use]
    pub fn new(
        now: Now,
        settings: Arc<ServerSettings>,
        cluster: Arc<ClusterView>,
        client_host: &str,
        seed: u64,
    ) -> Self {
        Self {
            server: Server::new(settings.clone(), cluster, client_host, seed),
            settings,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            fetches_in_flight: 0,
            transmit: VecDeque::new(),
            queued_bytes: 0,
            waiting_bytes: 0,
            next_ticket: 0,
            greeted: false,
            last_input: now.elapsed,
            closing: None,
            seen: BTreeSet::new(),
            events: VecDeque::new(),
        }
    }

    /// The client has shown who it is before it said anything; `None`: it has, but its name is not known here.
    pub fn set_principal(&mut self, principal: Option<String>) {
        self.server.set_principal(principal);
    }

    fn submit(&mut self, now: Now, request: Bytes) {
        self.greeted = true;
        self.observe(&request);
        let bytes = frame::memory_of(&request);
        let is_fetch = frame::peek_request(&request).is_ok_and(|head| head.api() == Some(ApiKey::Fetch));
        let act = Act::of(&request);
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        match self.server.submit(now, ticket, request) {
            Ok(()) => {
                self.in_flight_bytes = self.in_flight_bytes.saturating_add(bytes);
                self.fetches_in_flight += usize::from(is_fetch);
                self.in_flight.push_back(InFlight { ticket, bytes, is_fetch, act, response: None });
            }
            Err(violation) => {
                if let Some(act) = act {
                    self.events.push_back(act.refused(self.server.who(), &violation.to_string()));
                }
                self.closing = Some(violation);
            }
        }
        self.collect();
    }

    /// Moves finished responses to where they are sent from, in the order of their requests.
    fn collect(&mut self) {
        while let Some((ticket, response)) = self.server.poll_done() {
            // Without a response there is nothing to send, but its turn has come all the same.
            if let Some(waiting) = self.in_flight.iter_mut().find(|waiting| waiting.ticket == ticket) {
                let response = response.unwrap_or_default();
                self.waiting_bytes += response.iter().map(Bytes::len).sum::<usize>();
                waiting.response = Some(response);
            }
        }
        while let Some(ready) = self.in_flight.pop_front_if(|first| first.response.is_some()) {
            self.in_flight_bytes = self.in_flight_bytes.saturating_sub(ready.bytes);
            self.fetches_in_flight = self.fetches_in_flight.saturating_sub(usize::from(ready.is_fetch));
            let response = ready.response.unwrap_or_default();
            if let Some(act) = ready.act {
                self.events.push_back(act.answered(self.server.who(), &response));
            }
            for part in response {
                self.waiting_bytes = self.waiting_bytes.saturating_sub(part.len());
                self.queued_bytes = self.queued_bytes.saturating_add(part.len());
                self.transmit.push_back(part);
            }
        }
        while let Some((kind, wait)) = self.server.poll_throttled() {
            self.events.push_back(Event::Throttled { quota: kind.key(), wait });
        }
        if let Some(violation) = self.server.poll_violation() {
            // What came before the refused request is still answered.
            self.closing.get_or_insert(violation);
        }
    }

    /// Says who the client is and what it uses, once each.
    fn observe(&mut self, request: &Bytes) {
        let Ok(head) = frame::peek_request(request) else { return };
        let Some(api) = head.api().filter(|api| crate::server::served(*api).is_some()) else { return };
        if !api.spec().versions().contains(&head.api_version) {
            return;
        }
        if self.seen.insert((head.api_key, head.api_version)) {
            self.events.push_back(Event::Used { api: head.api_key, version: head.api_version });
        }
        if api == ApiKey::ApiVersions
            && let Ok((_, reader)) = frame::read_request_header(request.clone())
            && let Ok(hello) = ApiVersionsRequest::decode_request(reader, head.api_version)
            && self.events.len() < EVENTS_MAX
        {
            let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            self.events.push_back(Event::Client {
                id: head.client_id.as_deref().unwrap_or_default().to_owned(),
                software: text(&hello.client_software_name),
                version: text(&hello.client_software_version),
            });
        }
    }

    fn frame_bytes_max(&self) -> u32 {
        // A listener without authentication has authenticated everybody.
        self.settings.limits.frame_bytes_max
    }

    fn progress(&self, input: &[u8]) -> Progress {
        let size = input.first_chunk::<SIZE_PREFIX>().map(|prefix| i32::from_be_bytes(*prefix));
        let needed = size.and_then(|size| usize::try_from(size).ok()).map_or(0, |size| size + SIZE_PREFIX);
        Progress { paused: !self.wants_input(), wanted: needed.saturating_sub(input.len()) }
    }

    fn deadline(&self) -> Option<(Duration, &'static str)> {
        let limits = &self.settings.limits;
        if !self.greeted {
            return Some((self.last_input.saturating_add(limits.handshake), "no request came"));
        }
        let idle = self.in_flight.is_empty() && self.transmit.is_empty() && !self.server.is_muted();
        idle.then(|| (self.last_input.saturating_add(limits.idle), "the connection was idle"))
    }

    /// The end, when it has come.
    fn ended(&mut self) -> Result<(), Violation> {
        match self.closing.take_if(|_| self.in_flight.is_empty()) {
            Some(violation) => Err(violation),
            None => Ok(()),
        }
    }
}

/// Events that may wait to be polled; clients that greet again and again are not told apart.
const EVENTS_MAX: usize = 256;

impl Session for KafkaSession {
    fn handle_input(&mut self, now: Now, input: &mut BytesMut) -> Result<Progress, Violation> {
        while self.wants_input() {
            match frame::take_frame_mut(input, self.frame_bytes_max()) {
                Ok(None) => break,
                Ok(Some(request)) => {
                    // The handshake's deadline runs from the connection's start, whatever trickles in.
                    self.last_input = now.elapsed;
                    self.submit(now, request);
                }
                Err(error) => self.closing = Some(Violation::Limit(error.to_string())),
            }
        }
        self.ended()?;
        Ok(self.progress(input))
    }

    fn handle_reply(&mut self, now: Now, id: RequestId, answer: Result<Answer, KernelError>) {
        self.server.handle_reply(now, id, answer);
        self.collect();
    }

    fn handle_legacy(&mut self, _now: Now, _event: LegacyEvent<'_>) -> Result<Progress, Violation> {
        Ok(Progress::default())
    }

    fn handle_timeout(&mut self, now: Now) -> Result<(), Violation> {
        if self.server.is_muted() {
            // Its silence was ordered.
            self.last_input = now.elapsed;
        }
        self.server.handle_timeout(now);
        self.collect();
        self.ended()?;
        match self.deadline() {
            Some((at, what)) if at <= now.elapsed => Err(Violation::TimedOut(what)),
            Some(_) | None => Ok(()),
        }
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        let part = self.transmit.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(part.len());
        Some(part)
    }

    fn poll_request(&mut self) -> Option<(RequestId, Request)> {
        self.server.poll_request()
    }

    fn poll_legacy(&mut self) -> Option<LegacyAction> {
        None
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn handle_end(&mut self) {
        for act in self.in_flight.drain(..).filter_map(|waiting| waiting.act) {
            self.events.push_back(act.unanswered(self.server.who(), CONNECTION_ENDED));
        }
    }

    fn poll_timeout(&self) -> Option<Duration> {
        if self.closing.is_some() && self.in_flight.is_empty() {
            // `handle_timeout` reports the end, which no answer can.
            return Some(Duration::ZERO);
        }
        let deadline = self.deadline().map(|(at, _)| at);
        self.server.poll_timeout().into_iter().chain(deadline).min()
    }

    fn wants_input(&self) -> bool {
        let limits = &self.settings.limits;
        self.closing.is_none()
            && !self.server.is_muted()
            && self.in_flight.len() < limits.in_flight_max
            && self.in_flight_bytes < limits.in_flight_bytes_max
            && self.fetches_in_flight < limits.fetches_in_flight_max
            && self.queued_bytes < limits.queued_bytes_max
    }

    fn held(&self) -> Held {
        Held { requests: self.in_flight_bytes, answers: self.waiting_bytes.saturating_add(self.queued_bytes) }
    }
}
