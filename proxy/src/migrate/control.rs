//! What operators ask, handed to the runner's task and answered from there.

#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for what it lacks; it does not panic")]

use std::time::Duration;

use kernel_model::Now;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::resume::Resumed;
use super::runner::Runner;
use crate::clock::Clock;
use crate::control::{Advance, Answering, Control, Refusal, Resume, Rollback};
use crate::handover::command::{Command, Refused};
use crate::handover::phase::Phase;
use crate::handover::resume::ResumeOrder;
use crate::ledger::{Decider, Explanation};

/// How often a waiting order looks whether its phase is reached.
const LOOK: Duration = Duration::from_millis(20);

/// A question or command for the runner.
pub(super) enum Asked {
    Command(Command, oneshot::Sender<Result<Value, Refused>>),
    Resume(ResumeOrder, Decider, Resumed),
    Status(oneshot::Sender<Value>),
    Ledger(String, oneshot::Sender<Option<Value>>),
}

/// Operators' way to the runner.
pub struct MigrationControl {
    runner: mpsc::Sender<Asked>,
    clock: Clock,
}

impl MigrationControl {
    pub(super) fn new(runner: mpsc::Sender<Asked>, clock: Clock) -> Self {
        Self { runner, clock }
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

/// Adds the reason in words to a divergence that the table explains.
fn explain(entry: &mut Value) {
    let explained = entry["explained_by"].as_str().and_then(Explanation::of);
    if let (Some(explained), Some(entry)) = (explained, entry.as_object_mut()) {
        entry.insert("explanation".to_owned(), Value::from(explained.reason()));
    }
}

/// How often each entry of the table explains a divergence of these ledger entries.
fn explained(entries: &Value) -> Vec<Value> {
    let entries = entries.as_array().map(Vec::as_slice).unwrap_or_default();
    let counted = Explanation::ALL.into_iter().map(|each| {
        let count = entries.iter().filter(|entry| entry["explained_by"] == each.key()).count();
        (each, count)
    });
    let used = counted.filter(|(_, count)| *count > 0);
    used.map(|(each, count)| json!({ "key": each.key(), "count": count, "reason": each.reason() })).collect()
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
        | Refused::RollbackFromCutoverNotBuilt
        | Refused::CanaryNotBuilt
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
        Refused::NotForward { .. } | Refused::NotBack { .. } | Refused::Retired => {
            Refusal::Invalid(refused.to_string())
        }
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
        let entries = self.ask_now(|reply| Asked::Ledger(migration.to_owned(), reply)).flatten();
        let entries = entries.ok_or_else(|| Refusal::Unknown(migration.to_owned()))?;
        Ok(json!({ "migration": migration, "entries": entries }))
    }

    fn advance(&self, order: Advance) -> Answering<'_> {
        Box::pin(async move {
            if order.percent.is_some() {
                return Err(refusal(&Refused::CanaryNotBuilt));
            }
            let to = phase(order.phase.as_ref())?;
            let migration = order.migration.clone();
            let by = "operator".to_owned();
            let command = Command::Advance { migration: migration.clone(), to, force: order.force, by };
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
            let command = Command::Rollback { migration: migration.clone(), to, by: "operator".to_owned() };
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
            let Resume { migration, unit, discard_copy } = order;
            let order = ResumeOrder { migration, unit, discard_copy };
            let by = Decider::Operator("operator".to_owned());
            let answer = self.ask(|reply| Asked::Resume(order, by, reply)).await?;
            answer.map_err(|refused| refusal(&refused))
        })
    }

    fn verify(&self, migration: &str) -> Answering<'_> {
        let name = migration.to_owned();
        Box::pin(async move {
            let status = self.ask(Asked::Status).await?;
            if find(&status, &name).is_none() {
                return Err(Refusal::Unknown(name));
            }
            let entries = self.ask(|reply| Asked::Ledger(name.clone(), reply)).await?.unwrap_or_default();
            let committed: Vec<&Value> = entries
                .as_array()
                .into_iter()
                .flatten()
                .filter(|entry| entry["kind"] == "committed")
                .collect();
            let unexplained: u64 = find(&status, &name)
                .and_then(|migration| migration["units"].as_array())
                .into_iter()
                .flatten()
                .filter_map(|unit| unit["unexplained"].as_u64())
                .sum();
            Ok(json!({
                "migration": name,
                "verified": unexplained == 0,
                "unexplained_divergences": unexplained,
                "explained": explained(&entries),
                "committed": committed,
                "note": "ends, hashes and producer state compared at each handover; an independent re-read of both \
                         sides is not built yet",
            }))
        })
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
            Asked::Ledger(name, reply) => {
                let _gone = reply.send(self.ledger_of(&name));
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
                "kernel_shown": cluster.shared.routes.any_moved(),
                "retired": cluster.shared.routes.is_retired(),
                "portless": cluster.portless.iter().map(|(broker, reason)| {
                    json!({ "broker": broker, "reason": reason })
                }).collect::<Vec<_>>(),
                "legacy": cluster.config.legacy.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "groups_behind": status.offsets.behind,
                "groups_error": status.offsets.error,
            })
        });
        json!({
            "clusters": clusters.collect::<Vec<_>>(),
            "migrations": self.migrations.status(now, self.ledger.book()),
            "fence_ms_max": self.ledger.book().fence_ms_max(),
        })
    }

    /// Entries of one migration: those that name it, its units or its handovers.
    fn ledger_of(&mut self, name: &str) -> Option<Value> {
        let units: Vec<String> =
            self.ledger.book().migrations().get(name)?.units.iter().map(ToString::to_string).collect();
        let entries = tokio::task::block_in_place(|| self.ledger.entries()).ok()?;
        let mut handovers = std::collections::BTreeSet::new();
        let mut mine = Vec::new();
        for entry in entries {
            let mut value = serde_json::to_value(&entry).unwrap_or_default();
            let named = value["migration"] == name
                || value["unit"].as_str().is_some_and(|unit| units.iter().any(|each| each == unit));
            if named && let Some(handover) = value["handover"].as_u64() {
                handovers.insert(handover);
            }
            explain(&mut value);
            if named || value["handover"].as_u64().is_some_and(|handover| handovers.contains(&handover)) {
                mine.push(value);
            }
        }
        Some(Value::Array(mine))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explained_difference_carries_its_reason_and_another_one_none() {
        let entry = |key: &str| json!({ "kind": "diverged", "explained_by": key });
        let mut entries =
            json!([entry("group-left-behind"), entry("because"), json!({ "kind": "diverged" })]);
        entries.as_array_mut().unwrap().iter_mut().for_each(explain);
        assert_eq!(entries[0]["explanation"], Explanation::GroupLeftBehind.reason());
        assert!(entries[1]["explanation"].is_null() && entries[2]["explanation"].is_null());
        let reason = Explanation::GroupLeftBehind.reason();
        assert_eq!(
            explained(&entries),
            [json!({ "key": "group-left-behind", "count": 1, "reason": reason })]
        );
    }
}
