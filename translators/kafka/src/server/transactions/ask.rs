//! Asking transaction coordinators: one, with a fresh producer id where it wants one; or several at once.

use kernel_model::{KernelError, Reply, Request, ShardId};

use super::super::Spare;
use super::super::operation::{Begin, Cx, Finished, Head, Operation, Step};
use super::{question, reply_of};
use crate::codec::messages::{InitProducerIdRequest, InitProducerIdResponse};
use crate::codec::{Message as _, frame};
use crate::coordinator::transaction::{Message as TransactionMessage, Reply as TransactionReply};
use crate::errors::{ErrorCode, coordinator_error};
use crate::placement::{CATALOG, CATALOG_SHARD};

/// What a coordinator answered.
pub(super) type Asked = Result<TransactionReply, ErrorCode>;

type Finish = Box<dyn FnOnce(&Head, Asked) -> Finished + Send>;

/// Version in which the catalog is asked for a producer id.
const INIT_VERSION: i16 = 4;

/// One question.
pub(super) struct Ask {
    head: Head,
    id: String,
    message: TransactionMessage,
    /// The catalog was asked for a producer id; its answer is waited for.
    wants_id: bool,
    finish: Option<Finish>,
}

impl Ask {
    pub(super) fn begin(
        cx: &mut Cx<'_>,
        head: Head,
        id: String,
        message: TransactionMessage,
        finish: Finish,
    ) -> Begin {
        let (shard, request) = question(&id, cx.settings.shards, &message);
        cx.ask(0, shard, request);
        Begin::Run(Box::new(Self { head, id, message, wants_id: false, finish: Some(finish) }))
    }

    fn done(&mut self, outcome: Asked) -> Step {
        let Some(finish) = self.finish.take() else { return Step::Wait };
        Step::Done(finish(&self.head, outcome))
    }

    fn ask_catalog(&mut self, cx: &mut Cx<'_>) -> Result<(), ErrorCode> {
        let plain = InitProducerIdRequest { transactional_id: None, ..Default::default() };
        let framed =
            frame::request_frame(INIT_VERSION, 0, None, &plain).map_err(|_| ErrorCode::UnknownServerError)?;
        let message = framed.slice(4.min(framed.len())..);
        cx.ask(0, CATALOG_SHARD, Request::Coordinate { kind: CATALOG, message });
        self.wants_id = true;
        Ok(())
    }

    /// Takes the catalog's answer into the message.
    fn take_id(&mut self, answer: Result<Reply, KernelError>) -> Result<(), ErrorCode> {
        let body = match answer {
            Ok(Reply::Coordinated(body)) => body,
            Ok(_) => return Err(ErrorCode::UnknownServerError),
            Err(error) => return Err(coordinator_error(&error)),
        };
        let given = InitProducerIdResponse::decode_exact(body, INIT_VERSION)
            .map_err(|_| ErrorCode::UnknownServerError)?;
        if given.error_code != 0 {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        match &mut self.message {
            TransactionMessage::Init { spare, .. } | TransactionMessage::End { spare, .. } => {
                *spare = Some(given.producer_id);
                Ok(())
            }
            TransactionMessage::Join { .. }
            | TransactionMessage::Adopt { .. }
            | TransactionMessage::Provide { .. }
            | TransactionMessage::Leave { .. }
            | TransactionMessage::Return { .. }
            | TransactionMessage::Tally { .. }
            | TransactionMessage::Survey { .. }
            | TransactionMessage::Describe { .. }
            | TransactionMessage::List { .. } => Err(ErrorCode::UnknownServerError),
        }
    }

    /// The id wants a producer id that nobody has.
    fn find_id(&mut self, cx: &mut Cx<'_>) -> Result<(), ErrorCode> {
        let timeout_ms = if let TransactionMessage::Init { timeout_ms, .. } = &self.message {
            Some(*timeout_ms)
        } else {
            None
        };
        match cx.spares.map_or(Spare::Catalog, |spares| spares.spare(&self.id, timeout_ms)) {
            Spare::Catalog => self.ask_catalog(cx),
            Spare::Later => Err(ErrorCode::ConcurrentTransactions),
            Spare::Refused(code) => Err(ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError)),
        }
    }
}

impl Operation for Ask {
    fn answered(&mut self, cx: &mut Cx<'_>, _slot: usize, answer: Result<Reply, KernelError>) -> Step {
        if self.wants_id {
            self.wants_id = false;
            if let Err(code) = self.take_id(answer) {
                return self.done(Err(code));
            }
            let (shard, request) = question(&self.id, cx.settings.shards, &self.message);
            cx.ask(0, shard, request);
            return Step::Wait;
        }
        match reply_of(answer) {
            Ok(TransactionReply::NeedsProducerId) => match self.find_id(cx) {
                Ok(()) => Step::Wait,
                Err(code) => self.done(Err(code)),
            },
            outcome => self.done(outcome),
        }
    }
}

type Merge = Box<dyn FnOnce(&Head, Vec<Asked>) -> Finished + Send>;

/// Several questions at once.
struct All {
    head: Head,
    answers: Vec<Option<Asked>>,
    left: usize,
    merge: Option<Merge>,
}

impl Operation for All {
    fn answered(&mut self, _cx: &mut Cx<'_>, slot: usize, answer: Result<Reply, KernelError>) -> Step {
        if let Some(place) = self.answers.get_mut(slot) {
            *place = Some(reply_of(answer));
            self.left = self.left.saturating_sub(1);
        }
        if self.left > 0 {
            return Step::Wait;
        }
        let answers = std::mem::take(&mut self.answers).into_iter().flatten().collect();
        match self.merge.take() {
            Some(merge) => Step::Done(merge(&self.head, answers)),
            None => Step::Wait,
        }
    }
}

/// Asks all of these; `merge` gets the answers in their order.
pub(super) fn all(
    cx: &mut Cx<'_>,
    head: Head,
    questions: Vec<(ShardId, Request)>,
    merge: impl FnOnce(&Head, Vec<Asked>) -> Finished + Send + 'static,
) -> Begin {
    if questions.is_empty() {
        return Begin::Done(merge(&head, Vec::new()));
    }
    let left = questions.len();
    for (slot, (shard, request)) in questions.into_iter().enumerate() {
        cx.ask(slot, shard, request);
    }
    let answers = (0..left).map(|_| None).collect();
    Begin::Run(Box::new(All { head, answers, left, merge: Some(Box::new(merge)) }))
}
