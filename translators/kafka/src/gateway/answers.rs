//! What comes back from legacy: each answer is matched to its request, rewritten, and noted; and what happens when
//! nothing comes back any more.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kernel_model::Now;
use session::{LegacyNode, Progress, Violation};

use super::fetch::{FetchPlan, withhold};
use super::produce::AheadBatch;
use super::rewrite::{self, Asked, Rewriter};
use super::session::{GatewaySession, internal};
use super::shared::Role;
use super::slots::SlotId;
use super::upstream::{Expected, Merge, Taken, Then, take_whole};
use crate::codec::ApiKey;
use crate::codec::frame;
use crate::codec::messages::{
    FetchResponse, ProduceResponse, SaslAuthenticateResponse, SaslHandshakeResponse,
};

/// How long the kernel answers in place of a legacy that was not reached, before it is tried again.
const LEGACY_REST: Duration = Duration::from_secs(1);

impl GatewaySession {
    /// Takes legacy's answers from `input`.
    pub(super) fn take_answers(&mut self, now: Now, input: &mut BytesMut) -> Result<Progress, Violation> {
        loop {
            let taken = take_whole(input, self.shared.limits.frame_bytes_max).map_err(Violation::Legacy)?;
            match taken {
                Taken::Frame(whole) => self.take_answer(now, whole)?,
                Taken::Incomplete(wanted) => {
                    self.leave_retired();
                    return Ok(Progress { paused: false, wanted });
                }
            }
        }
    }

    /// Closes the connection to a retired legacy once nothing is owed on it. The client notices nothing.
    pub(super) fn leave_retired(&mut self) {
        if self.shared.routes.is_retired() && !self.upstream.owes() {
            self.upstream.close();
        }
    }

    /// A retired legacy that owes answers for too long counts as gone.
    pub(super) fn give_up_legacy(&mut self, now: Now) -> Result<(), Violation> {
        let late = self.last_answers_by.is_some_and(|by| by <= now.elapsed);
        if !late || !self.upstream.owes() {
            return Ok(());
        }
        let owed = self.upstream.close();
        self.go_on_without(now, owed, "it is retired, and did not answer what it owed")
    }

    fn take_answer(&mut self, now: Now, whole: Bytes) -> Result<(), Violation> {
        let expected = self
            .upstream
            .next_expected()
            .ok_or_else(|| Violation::Legacy("an answer that nobody asked for".to_owned()))?;
        let correlation = whole.get(4..).and_then(|rest| rest.first_chunk()).copied().map(i32::from_be_bytes);
        if correlation != Some(expected.correlation) {
            return Err(Violation::Legacy("an answer to another request".to_owned()));
        }
        let Expected { slot, api, version, then, passed, .. } = expected;
        if !passed.is_empty() && !self.shared.routes.lease().holds(now) {
            // The unit may have another primary by now: an acknowledgement would be of the old one's.
            self.upstream.close();
            return Err(Violation::LeaseLost);
        }
        // Legacy has answered: the write has arrived, or was refused.
        drop(passed);
        let Some(slot) = slot else {
            self.barrier_sent = false;
            return self.send_barrier();
        };
        let answer = match then {
            Then::Forward => whole,
            Then::Mechanism(asked) => self.mechanism_agreed(version, asked, whole)?,
            Then::Users(asked) => {
                self.note_users(version, &asked, &whole);
                whole
            }
            Then::Authenticate(message) => self.authenticated_by(now, version, &message, whole)?,
            Then::Ended(unit, id) => {
                super::transactions::ended(&unit, &id, api, version, &whole)?;
                whole
            }
            Then::Rewrite(asked) => self.rewritten(api, version, &asked, whole)?,
            Then::Merge(asked, merge) => {
                merge(self.rewritten(api, version, &asked, whole)?).map_err(internal)?
            }
            Then::Fetch(plan, merge) => self.fetched(now, version, plan, merge, whole)?,
            Then::Produce(ahead, merge) => return self.produced(now, slot, version, &ahead, merge, whole),
        };
        self.slots.fill(slot, vec![answer]);
        Ok(())
    }

    fn rewritten(&self, api: ApiKey, version: i16, asked: &Asked, whole: Bytes) -> Result<Bytes, Violation> {
        let (routes, nodes) = (self.shared.routes.table(), self.shared.nodes.table());
        let rewriter = Rewriter {
            nodes: &nodes,
            routes: &routes,
            any_moved: self.shared.routes.any_moved(),
            kernel_shown: self.shared.routes.kernel_shown(),
            any_translated: self.shared.routes.any_translated(),
            at_kernel_node: self.role == Role::Kernel,
            viewer: self.viewer(),
        };
        rewriter.rewrite(api, version, asked, whole).map_err(internal)
    }

    /// Whether we, and not only legacy, can tell that the client is who it says.
    pub(super) fn is_known(&self) -> bool {
        let judged = |mechanism| matches!(mechanism, "PLAIN" | "OAUTHBEARER") || is_scram(mechanism);
        !self.shared.sasl || (self.authenticated && self.mechanism.as_deref().is_some_and(judged))
    }

    /// The mechanism counts from legacy's answer on, not from the request: an answer to a round of the one
    /// before may still be on its way, and would be judged by the rules of another.
    fn mechanism_agreed(&mut self, version: i16, asked: String, whole: Bytes) -> Result<Bytes, Violation> {
        let (_, answer) = rewrite::decode::<SaslHandshakeResponse>(&whole, version).map_err(internal)?;
        self.mechanism = (answer.error_code == 0).then_some(asked);
        Ok(whole)
    }

    fn authenticated_by(
        &mut self,
        now: Now,
        version: i16,
        message: &[u8],
        whole: Bytes,
    ) -> Result<Bytes, Violation> {
        let (_, answer) = rewrite::decode::<SaslAuthenticateResponse>(&whole, version).map_err(internal)?;
        let accepted = answer.error_code == 0;
        // The answer does not say whether another round follows, only the mechanism does. Served too early,
        // a client that knows a user's name and nothing else would be let in.
        self.authenticated = accepted
            && match self.mechanism.as_deref() {
                Some("PLAIN") => true,
                Some("OAUTHBEARER") => answer.auth_bytes.is_empty(),
                Some(scram) if is_scram(scram) => answer.auth_bytes.starts_with(b"v="),
                // Rounds of other mechanisms cannot be told apart: legacy guards its own nodes, the kernel's
                // stays closed.
                Some(_) | None => matches!(self.role, Role::Legacy(_)),
            };
        self.note_principal(now, accepted, message);
        Ok(whole)
    }

    fn fetched(
        &mut self,
        now: Now,
        version: i16,
        plan: FetchPlan,
        merge: Option<Merge>,
        whole: Bytes,
    ) -> Result<Bytes, Violation> {
        const SESSIONS_SINCE: i16 = 7;
        let (correlation, mut answer) =
            rewrite::decode::<FetchResponse>(&whole, version).map_err(internal)?;
        let follows = plan.follows();
        if version >= SESSIONS_SINCE {
            self.fetch_sessions.note(plan, &answer);
        }
        let withheld = withhold(&mut answer, &self.shared.routes.table());
        let named = follows && self.name_replica(now.elapsed, version, &mut answer);
        let whole = if withheld || named {
            frame::response_frame(version, correlation, &answer).map_err(internal)?
        } else {
            whole
        };
        let answer = self.rewritten(ApiKey::Fetch, version, &Asked::Plain, whole)?;
        merge.map_or(Ok(answer.clone()), |merge| merge(answer).map_err(internal))
    }

    fn produced(
        &mut self,
        now: Now,
        slot: SlotId,
        version: i16,
        ahead: &[AheadBatch],
        merge: Option<Merge>,
        whole: Bytes,
    ) -> Result<(), Violation> {
        let (_, answer) = rewrite::decode::<ProduceResponse>(&whole, version).map_err(internal)?;
        let batches: Vec<_> = ahead
            .iter()
            .filter_map(|batch| Some((batch.unit.id.clone(), batch.acknowledged(&answer)?)))
            .collect();
        let rewritten = self.rewritten(ApiKey::Produce, version, &Asked::Plain, whole)?;
        let whole = match merge {
            Some(merge) => merge(rewritten).map_err(internal)?,
            None => rewritten,
        };
        if batches.is_empty() {
            self.slots.fill(slot, vec![whole]);
        } else {
            self.wait_for_kernel(now, slot, vec![whole], batches);
        }
        Ok(())
    }

    /// The connection to legacy is gone: one that stands for a broker ends as that broker's would. On the kernel's node
    /// what has moved goes on, the kernel answers what was under way as far as it can, and another connection is tried
    /// with the next request: it may have been this broker's end alone, or nobody used it for long.
    pub(super) fn legacy_closed(&mut self, now: Now, reason: &str) -> Result<(), Violation> {
        let owed = self.upstream.closed();
        self.go_on_without(now, owed, reason)
    }

    fn go_on_without(&mut self, now: Now, owed: VecDeque<Expected>, reason: &str) -> Result<(), Violation> {
        if owed.is_empty() && self.shared.routes.is_retired() {
            return Ok(());
        }
        let may_fall_back = match self.role {
            Role::Kernel => true,
            Role::Legacy(node) => node == LegacyNode::Any && self.shared.routes.any_moved(),
        };
        if !may_fall_back || !self.authenticated {
            return Err(Violation::Legacy(reason.to_owned()));
        }
        self.unanswered.clear();
        self.barrier_sent = false;
        if owed.is_empty() {
            self.upstream.reopen();
            return Ok(());
        }
        self.legacy_back_at = Some(now.deadline(LEGACY_REST));
        for expected in owed {
            let Some(slot) = expected.slot else { continue };
            let retry = expected.retry.filter(|_| can_fall_back(expected.api));
            let Some(frame) = retry else { return Err(Violation::Legacy(reason.to_owned())) };
            self.serve_frame(now, slot, frame)?;
        }
        Ok(())
    }
}

/// Whether the kernel can answer in legacy's place without having acted twice.
pub(super) fn can_fall_back(api: ApiKey) -> bool {
    matches!(api, ApiKey::ApiVersions | ApiKey::Metadata | ApiKey::FindCoordinator | ApiKey::DescribeCluster)
}

fn is_scram(mechanism: &str) -> bool {
    mechanism.starts_with("SCRAM-")
}
