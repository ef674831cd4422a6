//! Requests as they came, and how they are passed on: those that no partition or group owns, and the rest of the others.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "`apis` looks at every API; here the ones that differ are named"
)]

use bytes::Bytes;
use session::{Event, LegacyNode, Violation};

use super::apis::{Handling, handling};
use super::rewrite::{self, Asked};
use super::session::{GatewaySession, internal};
use super::shared::Role;
use super::slots::SlotId;
use super::upstream::{Expected, Passed, Then};
use crate::codec::frame::{self, RequestHead};
use crate::codec::messages::{
    ApiVersionsRequest, FindCoordinatorRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
    TxnOffsetCommitRequest,
};
use crate::codec::{ApiKey, Reader, Request, Response, Str};

/// One request: the frame as it came, and what its header says.
pub(super) struct Incoming {
    /// Size prefix included.
    pub(super) whole: Bytes,
    pub(super) head: RequestHead,
    pub(super) api: ApiKey,
}

impl Incoming {
    /// Reads the header of a frame, size prefix included.
    pub(super) fn read(whole: Bytes) -> Result<Self, Violation> {
        let head = frame::peek_request(&whole.slice(4.min(whole.len())..)).map_err(protocol)?;
        // Forwarding what we cannot read could leak an address or bypass a fence.
        let api = head.api().ok_or_else(|| Violation::Protocol(format!("unknown API {}", head.api_key)))?;
        Ok(Self { whole, head, api })
    }

    /// Version of the API.
    pub(super) fn version(&self) -> i16 {
        self.head.api_version
    }

    fn body(&self) -> Result<Reader, Violation> {
        let (_, reader) = frame::read_request_header(self.frame()).map_err(protocol)?;
        Ok(reader)
    }

    /// Without the size prefix.
    pub(super) fn frame(&self) -> Bytes {
        self.whole.slice(4.min(self.whole.len())..)
    }

    /// The request itself.
    pub(super) fn decode<R: Request>(&self) -> Result<R, Violation> {
        R::decode_request(self.body()?, self.version()).map_err(protocol)
    }
}

fn protocol(error: impl std::fmt::Display) -> Violation {
    Violation::Protocol(error.to_string())
}

impl GatewaySession {
    /// Forwards a request that no partition or group owns.
    pub(super) fn relay(&mut self, request: Incoming) -> Result<(), Violation> {
        let (mut request, mut asked) = (request, Asked::Plain);
        match request.api {
            ApiKey::ApiVersions => (request, asked) = self.greet(request)?,
            ApiKey::FindCoordinator => {
                asked = rewrite::asked_coordinator(&request.decode::<FindCoordinatorRequest>()?);
            }
            ApiKey::SaslHandshake => {
                let asked: SaslHandshakeRequest = request.decode()?;
                let mechanism = asked.mechanism.as_str().to_owned();
                return self.forward(request, Vec::new(), Then::Mechanism(mechanism));
            }
            ApiKey::SaslAuthenticate => {
                let asked: SaslAuthenticateRequest = request.decode()?;
                return self.forward(request, Vec::new(), Then::Authenticate(asked.auth_bytes));
            }
            ApiKey::AlterUserScramCredentials => {
                // What cannot be read here is legacy's to judge.
                let then = request.decode().map_or(Then::Forward, Then::Users);
                return self.forward(request, Vec::new(), then);
            }
            ApiKey::TxnOffsetCommit => request = self.forget_epochs::<TxnOffsetCommitRequest>(request)?,
            ApiKey::ShareGroupHeartbeat | ApiKey::ShareFetch => self.unsupported("share groups"),
            ApiKey::StreamsGroupHeartbeat => self.unsupported("streams groups"),
            _ => {}
        }
        let rewritten = handling(request.api) != Handling::Forward;
        let then = if rewritten { Then::Rewrite(asked) } else { Then::Forward };
        self.forward(request, Vec::new(), then)
    }

    fn unsupported(&mut self, feature: &'static str) {
        self.events.push_back(Event::Unsupported { feature, unit: None });
    }

    /// Learns the client's software, and asks legacy in a form that it knows.
    fn greet(&mut self, request: Incoming) -> Result<(Incoming, Asked), Violation> {
        if ApiKey::ApiVersions.spec().versions().contains(&request.version()) {
            let mut hello: ApiVersionsRequest = request.decode()?;
            let text = |text: &Str| (!text.is_empty()).then(|| text.as_str().to_owned());
            let (software, version) =
                (text(&hello.client_software_name), text(&hello.client_software_version));
            self.names_software = software.is_some();
            self.name_client(request.head.client_id.as_ref(), software, version);
            if matches!(self.role, Role::Legacy(LegacyNode::Id(_))) || hello.node_id < 0 {
                return Ok((request, Asked::Plain));
            }
            // The client says which node it takes us for (KIP-1242). Whichever broker answers in our place is
            // another one, and would send the client back to its bootstrap.
            hello.cluster_id = None;
            hello.node_id = -1;
            let whole = encode(&request.head, &hello)?;
            return Ok((Incoming { whole, ..request }, Asked::Plain));
        }
        // The newest form that we do not know is asked in the oldest, and answered with an error in it.
        let correlation = request.head.correlation_id;
        let whole =
            frame::request_frame(0, correlation, None, &ApiVersionsRequest::default()).map_err(internal)?;
        Ok((Incoming { whole, ..request }, Asked::UnknownApiVersions))
    }

    /// Forwards a request; `then` says what becomes of its answer.
    pub(super) fn forward(
        &mut self,
        request: Incoming,
        passed: Vec<Passed>,
        then: Then,
    ) -> Result<(), Violation> {
        self.expect_legacy()?;
        let slot = self.slots.open();
        let retry = (self.role == Role::Kernel || self.role == Role::Legacy(LegacyNode::Any))
            .then(|| request.frame());
        if retry.is_some() || matches!(then, Then::Produce(..)) {
            self.slots.charge(slot, request.whole.len(), false);
        }
        let expected = Expected {
            slot: Some(slot),
            correlation: request.head.correlation_id,
            api: request.api,
            version: request.version(),
            then,
            passed,
            retry,
        };
        self.upstream.send(request.whole, Some(expected));
        Ok(())
    }

    /// Legacy is asked only while there is, or may be, a connection to it: nothing would come back otherwise.
    pub(super) fn expect_legacy(&self) -> Result<(), Violation> {
        match self.legacy_back_at {
            Some(_) => Err(Violation::Legacy("it was not reached a moment ago".to_owned())),
            None => Ok(()),
        }
    }

    /// Answers without asking anybody.
    pub(super) fn answer<R: Response>(
        &mut self,
        slot: SlotId,
        head: &RequestHead,
        body: &R,
    ) -> Result<(), Violation> {
        let whole = frame::response_frame(head.api_version, head.correlation_id, body).map_err(internal)?;
        self.slots.fill(slot, vec![whole]);
        Ok(())
    }
}

/// Encodes a changed request under the header that it came with.
pub(super) fn encode<R: Request>(head: &RequestHead, request: &R) -> Result<Bytes, Violation> {
    frame::request_frame(head.api_version, head.correlation_id, head.client_id.clone(), request)
        .map_err(internal)
}
