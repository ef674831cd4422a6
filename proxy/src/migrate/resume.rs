//! Lets stopped units go on: deletes copies, writes the ledger, and has the feed follow. See
//! [`crate::handover::resume`] for what is decided.

use std::collections::{BTreeMap, BTreeSet};

use kernel_model::{KernelError, Now, Reply};
use serde_json::{Value, json};
use session::{Answer, Request, RequestId, UnitId};
use shadow::{FeedStatus, FollowerState, Order as FeedOrder, StopReason};
use tokio::sync::oneshot;
use translator_kafka::coordinator::message::CatalogMessage;
use translator_kafka::placement::{CATALOG, CATALOG_SHARD};

use super::cluster::ClusterRun;
use super::job::catalog_done;
use super::runner::Runner;
use super::units::UnitName;
use crate::failpoint;
use crate::handover::action::ActionKind;
use crate::handover::command::Refused;
use crate::handover::resume::{CopyFacts, ResumeOrder, ResumePlan};
use crate::ledger::{Decider, StopCause};

/// Who waits for the outcome.
pub(super) type Resumed = oneshot::Sender<Result<Value, Refused>>;

/// A resume whose copies are being deleted.
pub(super) struct Resuming {
    migration: String,
    cluster: usize,
    by: Decider,
    plan: ResumePlan,
    outstanding: usize,
    failed: Option<String>,
    reply: Resumed,
}

impl Runner {
    /// Begins what an operator ordered; `reply` is told how it ended.
    pub(super) fn begin_resume(&mut self, now: Now, order: ResumeOrder, by: Decider, reply: Resumed) {
        let resuming = match self.plan_resume(now, &order) {
            Ok((cluster, plan)) => {
                let (migration, outstanding) = (order.migration, 0);
                Resuming { migration, cluster, by, plan, outstanding, failed: None, reply }
            }
            Err(refused) => {
                let _gone = reply.send(Err(refused));
                return;
            }
        };
        let id = self.next_number();
        let topics = self.topics_of(resuming.cluster, &resuming.plan.discarded);
        let cluster = resuming.cluster;
        self.resuming.insert(id, resuming);
        for topic in topics.into_keys() {
            self.discard(now, id, cluster, topic);
        }
        self.finish_resume(now, id);
    }

    fn plan_resume(&self, now: Now, order: &ResumeOrder) -> Result<(usize, ResumePlan), Refused> {
        let name = &order.migration;
        if self.resuming.values().any(|resuming| resuming.migration == *name) {
            return Err(Refused::Resuming(name.clone()));
        }
        let mine = |cluster: &ClusterRun| cluster.migrations.iter().any(|each| each.name == *name);
        let index = self.clusters.iter().position(mine).ok_or_else(|| Refused::Unknown(name.clone()))?;
        let cluster = self.clusters.get(index).ok_or_else(|| Refused::Unknown(name.clone()))?;
        let status = cluster.feed.status(now);
        let plan = self
            .migrations
            .plan_resume(self.ledger.book(), order, |unit| self.copy_facts(cluster, &status, unit))?;
        Ok((index, plan))
    }

    fn copy_facts(&self, cluster: &ClusterRun, status: &FeedStatus, unit: &UnitId) -> CopyFacts {
        let known = cluster.units.get(unit).map(|known| &known.name);
        let Some(UnitName::Partition { topic, partition }) = known else {
            return CopyFacts { together: [unit.clone()].into(), ..CopyFacts::default() };
        };
        let same = cluster
            .units
            .iter()
            .filter(|(_, known)| matches!(&known.name, UnitName::Partition { topic: of, .. } if of == topic));
        let copy = self.setup.catalog.load();
        let led = copy.topic(topic).is_some_and(|copy| copy.partitions.iter().any(|each| each.is_led()));
        // Legacy that has not answered since the start may have anything.
        let on_legacy = cluster.view.as_ref().is_none_or(|view| {
            view.topics.get(topic).is_some_and(|topic| topic.partitions.contains_key(partition))
        });
        let at = status.partitions.get(&(topic.clone(), *partition)).map(|at| &at.state);
        let feed = at.and_then(|state| match state {
            FollowerState::Stopped(reason) => Some(cause_of(reason)),
            FollowerState::Locating | FollowerState::Following | FollowerState::Watching => None,
        });
        CopyFacts { together: same.map(|(unit, _)| unit.clone()).collect(), led, on_legacy, feed }
    }

    /// Partitions among these units, by topic.
    fn topics_of(&self, cluster: usize, units: &BTreeSet<UnitId>) -> BTreeMap<String, Vec<i32>> {
        let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in self.clusters.get(cluster).into_iter().flat_map(|run| run.partitions(units))
        {
            topics.entry(topic).or_default().push(partition);
        }
        topics
    }

    fn discard(&mut self, now: Now, id: u64, cluster: usize, topic: String) {
        let Some(run) = self.clusters.get_mut(cluster) else { return };
        // Nothing writes to the copy any more, and nothing makes it anew, before the ledger has the decision.
        run.feed.order(now, FeedOrder::Hold { topic: topic.clone() });
        for known in run.units.values() {
            if matches!(&known.name, UnitName::Partition { topic: of, .. } if *of == topic) {
                known.unit.set_dual_write(false);
                known.unit.forget_log();
            }
        }
        failpoint::reached("before", format_args!("Discard"));
        let message = CatalogMessage::Discard { topic }.to_bytes();
        let request = kernel_model::Request::Coordinate { kind: CATALOG, message };
        let asked = self.next_number();
        self.discards.insert(asked, id);
        if let Some(resuming) = self.resuming.get_mut(&id) {
            resuming.outstanding += 1;
        }
        self.ask_shard(RequestId(asked), Request::Kernel { shard: CATALOG_SHARD, request });
    }

    /// The catalog has answered; says whether the answer belonged here.
    pub(super) fn discarded(&mut self, asked: u64, answer: &Result<Answer, KernelError>) -> bool {
        let Some(id) = self.discards.remove(&asked) else { return false };
        failpoint::reached("after", format_args!("Discard"));
        let outcome = match answer {
            Ok(Answer::Kernel(Reply::Coordinated(bytes))) => catalog_done(bytes),
            Ok(_) => Err("the catalog did not answer".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        if let Some(resuming) = self.resuming.get_mut(&id) {
            resuming.outstanding = resuming.outstanding.saturating_sub(1);
            resuming.failed = resuming.failed.take().or(outcome.err());
        }
        self.finish_resume(self.setup.clock.now(), id);
        true
    }

    /// Goes on once every copy is deleted.
    fn finish_resume(&mut self, now: Now, id: u64) {
        if self.resuming.get(&id).is_none_or(|resuming| resuming.outstanding > 0) {
            return;
        }
        let Some(resuming) = self.resuming.remove(&id) else { return };
        let Resuming { migration, cluster, by, plan, failed, reply, .. } = resuming;
        let outcome = match failed {
            Some(reason) => Err(Refused::NotDiscarded(reason)),
            None => self.record_resume(&migration, &by, &plan),
        };
        if outcome.is_ok() {
            self.follow_again(now, cluster, &migration, &plan);
        }
        let _gone = reply.send(outcome.map(|()| shown(&migration, &plan)));
    }

    fn record_resume(&mut self, migration: &str, by: &Decider, plan: &ResumePlan) -> Result<(), Refused> {
        let entries = plan.entries(self.ledger.book(), migration);
        failpoint::reached("before", ActionKind::RecordOther);
        let outcome = self.record(by, entries);
        failpoint::reached("after", ActionKind::RecordOther);
        outcome.map_err(|reason| {
            let _gone = self.setup.around.fatal.send(format!("the ledger has failed: {reason}"));
            Refused::Stopped(reason)
        })
    }

    fn follow_again(&mut self, now: Now, cluster: usize, migration: &str, plan: &ResumePlan) {
        let discarded: Vec<UnitId> = plan.discarded.iter().cloned().collect();
        self.publish_epochs(&discarded);
        let mut topics = self.topics_of(cluster, &plan.followed);
        // A topic that is gone may come back; it is not held then.
        for topic in self.topics_of(cluster, &plan.discarded).into_keys() {
            topics.entry(topic).or_default();
        }
        let Some(run) = self.clusters.get_mut(cluster) else { return };
        for (topic, partitions) in topics {
            run.feed.order(now, FeedOrder::Resume { topic, partitions });
        }
        run.units.retain(|unit, _| !plan.gone.contains(unit));
        self.migrations.forget_units(migration, &plan.gone);
        if !plan.gone.is_empty() {
            self.publish_routes(cluster);
        }
        for unit in &plan.followed {
            let phase = self.ledger.book().phase(unit);
            self.apply_unit(cluster, phase, unit);
        }
        // What is shown must not say any more that they are stopped.
        self.look_at_situations(now);
    }
}

fn shown(migration: &str, plan: &ResumePlan) -> Value {
    let names = |units: &BTreeSet<UnitId>| units.iter().map(ToString::to_string).collect::<Vec<_>>();
    let copy = if plan.discarded.is_empty() { "kept" } else { "discarded" };
    json!({
        "migration": migration,
        "resumed": names(&plan.resumed),
        "copy": copy,
        "copied_from_the_beginning": names(&plan.discarded.difference(&plan.gone).cloned().collect()),
        "left_the_migration": names(&plan.gone),
    })
}

/// What kind of reason a feed's reason is.
pub(super) fn cause_of(reason: &StopReason) -> StopCause {
    match reason {
        StopReason::Truncated { .. } => StopCause::SourceTruncated,
        StopReason::Conflict { .. } => StopCause::SourceChanged,
        StopReason::Recreated => StopCause::SourceRecreated,
        StopReason::Deleted => StopCause::SourceDeleted,
        StopReason::OldFormat => StopCause::OldFormat,
        StopReason::Damaged { .. } => StopCause::DamagedBatch,
        StopReason::Refused(KernelError::Damaged(_)) => StopCause::CopyDamaged,
        StopReason::Refused(_) => StopCause::Refused,
    }
}
