//! What operators ask, handed to the runner's task and answered from there.

#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for what it lacks; it does not panic")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernel_model::Now;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::resume::Resumed;
use super::runner::Runner;
use super::verifying::NotPlanned;
use crate::clock::Clock;
use crate::control::{Advance, Answering, Control, Refusal, Resume, Rollback, Verify};
use crate::handover::command::{Command, Refused};
use crate::handover::phase::Phase;
use crate::handover::resume::ResumeOrder;
use crate::ledger::{self, Decider, Written};
use crate::verify::{self, Finding, Options, Plan, Progress, Report};

/// How often a waiting order looks whether its phase is reached.
const LOOK: Duration = Duration::from_millis(20);

/// A question or command for the runner.
pub(super) enum Asked {
    Command(Command, oneshot::Sender<Result<Value, Refused>>),
    Resume(ResumeOrder, Decider, Resumed),
    Status(oneshot::Sender<Value>),
    Ledger(oneshot::Sender<Result<Vec<Written>, String>>),
    Plan(String, Options, oneshot::Sender<Result<Plan, NotPlanned>>),
    Found(Vec<Finding>, oneshot::Sender<Result<usize, String>>),
}

/// Operators' way to the runner.
pub struct MigrationControl {
    runner: mpsc::Sender<Asked>,
    clock: Clock,
    verifying: Verifying,
}

/// Verifications under way, by migration.
type Verifying = Mutex<BTreeMap<String, Arc<Progress>>>;

/// One of them; it is over when this is dropped, however that came.
struct Running<'a> {
    all: &'a Verifying,
    name: String,
    progress: Arc<Progress>,
}

impl<'a> Running<'a> {
    fn begin(all: &'a Verifying, name: &str) -> Result<Self, Refusal> {
        let progress = Arc::new(Progress::default());
        let mut running = all.lock();
        if running.contains_key(name) {
            let reason = format!("a verification of {name} is under way");
            return Err(Refusal::Blocked { reason, detail: Value::Null });
        }
        running.insert(name.to_owned(), Arc::clone(&progress));
        drop(running);
        Ok(Self { all, name: name.to_owned(), progress })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.name);
    }
}

impl MigrationControl {
    pub(super) fn new(runner: mpsc::Sender<Asked>, clock: Clock) -> Self {
        Self { runner, clock, verifying: Mutex::default() }
    }

    async fn ask<T>(&self, asked: impl FnOnce(oneshot::Sender<T>) -> Asked) -> Result<T, Refusal> {
        let gone = || Refusal::Failed("the migrations have stopped; the log says why".to_owned());
        let (reply, answer) = oneshot::channel();
        self.runner.send(asked(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// For callers that are not async: the admin API polls it.
    fn ask_now<T>(&self, asked: impl FnOnce(oneshot::Sender<T>) -> Asked) -> Option<T> {
        tokio::task::block_in_place(|| {
            let handle = tokio::runtime::Handle::try_current().ok()?;
            handle.block_on(async { self.ask(asked).await.ok() })
        })
    }

    /// What a verification found, with what the ledger has of differences altogether.
    async fn verified(&self, name: &str, report: &Report, written: usize) -> Result<Value, Refusal> {
        let status = self.ask(Asked::Status).await?;
        let all = self.ask(Asked::Ledger).await?.map_err(Refusal::Failed)?;
        let account = ledger::account(name, &all, self.clock.now().wall_ms).unwrap_or_default();
        let units = find(&status, name).and_then(|migration| migration["units"].as_array());
        let unexplained: u64 =
            units.into_iter().flatten().filter_map(|unit| unit["unexplained"].as_u64()).sum();
        let mut answer = json!({
            "migration": name,
            "verified": unexplained == 0 && report.unexplained() == 0 && report.complete(),
            "complete": report.complete(),
            "unexplained_divergences": unexplained,
            "found_unexplained": report.unexplained(),
            "newly_written": written,
            "explained": account["explained"],
            "ignored": verify::IGNORED.iter().map(|each| json!({
                "api": each.api, "field": each.field, "reason": each.reason
            })).collect::<Vec<_>>(),
        });
        let report = serde_json::to_value(report).unwrap_or_default();
        if let (Some(answer), Value::Object(report)) = (answer.as_object_mut(), report) {
            answer.extend(report);
        }
        Ok(answer)
    }

    async fn command(&self, command: Command) -> Result<Value, Refusal> {
        let answer = self.ask(|reply| Asked::Command(command, reply)).await?;
        answer.map_err(|refused| refusal(&refused))
    }

    async fn wait(&self, name: &str, to: Phase, within: Duration) -> Result<Value, Refusal> {
        let until = self.clock.now().deadline(within);
        loop {
            let status = self.ask(Asked::Status).await?;
            let migration = find(&status, name).cloned().unwrap_or_default();
            if migration["phase"] == to.name() && migration["doing"] == "nothing" {
                return Ok(migration);
            }
            let idle = migration["wanted"].is_null() && migration["doing"] == "nothing";
            let late = self.clock.now().elapsed >= until;
            if idle || late {
                let last = migration["last"].as_str().unwrap_or("no reason was given");
                let reason = if late && !idle {
                    let seconds = within.as_secs();
                    format!(
                        "{name} has not reached {to} within {seconds} s and goes on: {}",
                        waits_for(&migration)
                    )
                } else {
                    format!("{name} did not reach {to}: {last}")
                };
                return Err(Refusal::Blocked { reason, detail: migration });
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What a migration on its way waits for, in words.
fn waits_for(migration: &Value) -> String {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let units = migration["units"].as_array().into_iter().flatten();
    let silent = units.filter_map(|unit| text(&unit["lag"]["unheard"])).next();
    let known = [text(&migration["doing"]), text(&migration["handover"]["waits_for"]), silent];
    known.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Patterns of topics, as they stand in a configuration.
fn patterns(texts: &[String]) -> Result<Vec<config::Pattern>, Refusal> {
    let parse = |text: &String| {
        config::Pattern::parse(text).map_err(|error| Refusal::Invalid(format!("{text}: {error}")))
    };
    texts.iter().map(parse).collect()
}

fn not_planned(name: &str, error: NotPlanned) -> Refusal {
    match error {
        NotPlanned::Unknown => Refusal::Unknown(name.to_owned()),
        NotPlanned::Retired => Refusal::Blocked {
            reason: format!(
                "{name} is retired: legacy is not contacted, so there is nothing to compare with"
            ),
            detail: Value::Null,
        },
        NotPlanned::Failed(reason) => Refusal::Failed(reason),
    }
}

fn find<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    status["migrations"].as_array()?.iter().find(|migration| migration["name"] == name)
}

fn refusal(refused: &Refused) -> Refusal {
    match refused {
        Refused::Unknown(name) => Refusal::Unknown(name.clone()),
        Refused::GateRed(report) => {
            Refusal::Blocked { reason: refused.to_string(), detail: json!({ "gate": report }) }
        }
        Refused::Busy(_)
        | Refused::WayBackClosed(_)
        | Refused::NoSuchUnit { .. }
        | Refused::NotStopped(_)
        | Refused::NothingStopped(_)
        | Refused::Resuming(_)
        | Refused::NotDiscarded(_)
        | Refused::InHandover(_)
        | Refused::KernelLeads { .. }
        | Refused::CopyUnsound { .. } => {
            Refusal::Blocked { reason: refused.to_string(), detail: Value::Null }
        }
        Refused::NotForward { .. }
        | Refused::NotBack { .. }
        | Refused::ShareMissing
        | Refused::ShareMeansNothing(_)
        | Refused::NoRollbackToCanary
        | Refused::Retired => Refusal::Invalid(refused.to_string()),
        Refused::Stopped(_) => Refusal::Failed(refused.to_string()),
    }
}

fn phase(name: Option<&String>) -> Result<Option<Phase>, Refusal> {
    let parse = |name: &String| name.parse::<Phase>().map_err(|error| Refusal::Invalid(error.to_string()));
    name.map(parse).transpose()
}

impl Control for MigrationControl {
    fn status(&self) -> Value {
        self.ask_now(Asked::Status)
            .unwrap_or_else(|| json!({ "clusters": [], "migrations": [], "stopped": true }))
    }

    fn migrations(&self) -> Value {
        self.status()["migrations"].take()
    }

    fn ledger(&self, migration: &str) -> Result<Value, Refusal> {
        let stopped = || Refusal::Failed("the migrations have stopped; the log says why".to_owned());
        let all = self.ask_now(Asked::Ledger).ok_or_else(stopped)?.map_err(Refusal::Failed)?;
        let account = ledger::account(migration, &all, self.clock.now().wall_ms);
        account.ok_or_else(|| Refusal::Unknown(migration.to_owned()))
    }

    fn advance(&self, order: Advance) -> Answering<'_> {
        Box::pin(async move {
            let to = phase(order.phase.as_ref())?;
            let migration = order.migration.clone();
            let (percent, force, by) = (order.percent, order.force, order.by);
            let command = Command::Advance { migration: migration.clone(), to, percent, force, by };
            let accepted = self.command(command).await?;
            let reached = accepted["to"].as_str().and_then(|name| name.parse().ok());
            match (order.wait, reached) {
                (Some(within), Some(to)) => self.wait(&migration, to, within).await,
                _ => Ok(accepted),
            }
        })
    }

    fn rollback(&self, order: Rollback) -> Answering<'_> {
        Box::pin(async move {
            let to = phase(order.phase.as_ref())?;
            let migration = order.migration.clone();
            let command = Command::Rollback { migration: migration.clone(), to, by: order.by };
            let accepted = self.command(command).await?;
            let reached = accepted["to"].as_str().and_then(|name| name.parse().ok());
            match (order.wait, reached) {
                (Some(within), Some(to)) => self.wait(&migration, to, within).await,
                _ => Ok(accepted),
            }
        })
    }

    fn resume(&self, order: Resume) -> Answering<'_> {
        Box::pin(async move {
            let Resume { migration, unit, discard_copy, by } = order;
            let order = ResumeOrder { migration, unit, discard_copy };
            let by = Decider::Operator(by);
            let answer = self.ask(|reply| Asked::Resume(order, by, reply)).await?;
            answer.map_err(|refused| refusal(&refused))
        })
    }

    fn verify(&self, order: Verify) -> Answering<'_> {
        Box::pin(async move {
            let topics = patterns(&order.topics)?;
            let options = Options { topics, from: order.from, bytes_per_second: order.bytes_per_second };
            let name = order.migration;
            let plan = self.ask(|reply| Asked::Plan(name.clone(), options, reply)).await?;
            let plan = plan.map_err(|error| not_planned(&name, error))?;
            let running = Running::begin(&self.verifying, &name)?;
            let report = verify::run(&plan, &running.progress).await;
            let report = report.map_err(|error| Refusal::Failed(error.to_string()))?;
            // On disk before anybody is told of them.
            let findings = report.findings.clone();
            let written = self.ask(|reply| Asked::Found(findings, reply)).await?.map_err(Refusal::Failed)?;
            self.verified(&name, &report, written).await
        })
    }

    fn verifying(&self, migration: &str) -> Value {
        let running = self.verifying.lock();
        match running.get(migration) {
            Some(progress) => json!({ "running": true, "progress": progress.to_json() }),
            None => json!({ "running": false }),
        }
    }
}

impl Runner {
    pub(super) fn take_command(&mut self, asked: Asked) {
        let now = self.setup.clock.now();
        match asked {
            Asked::Command(command, reply) => {
                let answer = self.migrations.handle_command(now, self.ledger.book(), command);
                let answer = answer.map(|accepted| serde_json::to_value(accepted).unwrap_or_default());
                let _gone = reply.send(answer);
            }
            Asked::Resume(order, by, reply) => self.begin_resume(now, order, by, reply),
            Asked::Status(reply) => {
                let _gone = reply.send(self.status(now));
            }
            Asked::Ledger(reply) => {
                let written = tokio::task::block_in_place(|| self.ledger.written());
                let _gone = reply.send(written.map_err(|error| error.to_string()));
            }
            Asked::Plan(name, options, reply) => {
                let _gone = reply.send(self.plan_verification(&name, options));
            }
            Asked::Found(findings, reply) => {
                let _gone = reply.send(self.record_findings(findings));
            }
        }
    }

    fn status(&self, now: Now) -> Value {
        let clusters = self.clusters.iter().map(|cluster| {
            let status = cluster.feed.status(now);
            json!({
                "name": cluster.config.name,
                "connected": status.connected,
                "unreached": cluster.trouble(),
                "ready": cluster.ready,
                "brokers": cluster.shared.nodes.table().legacy.keys().collect::<Vec<_>>(),
                "kernel_shown": cluster.shared.routes.kernel_shown() || cluster.shared.routes.any_canary(),
                "canary": cluster.canary_status(),
                "retired": cluster.shared.routes.is_retired(),
                "portless": cluster.portless.iter().map(|(broker, reason)| {
                    json!({ "broker": broker, "reason": reason })
                }).collect::<Vec<_>>(),
                "legacy": cluster.config.legacy.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "groups_behind": status.offsets.behind,
                "groups_error": status.offsets.error,
            })
        });
        let (entries, seal) = self.ledger.seal();
        json!({
            "clusters": clusters.collect::<Vec<_>>(),
            "migrations": self.migrations.status(now, self.ledger.book()),
            "fence_ms_max": self.ledger.book().fence_ms_max(),
            "ledger": { "entries": entries, "seal": seal.to_string() },
        })
    }
}
