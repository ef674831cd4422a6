//! The demo from beginning to end: set the stage, let clients work, walk through the phases, drain, judge.

mod past;

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Options;
use super::account::Account;
use super::line::{Line, now_ms};
use super::screen::{Screen, View};
use super::spec::{ClientSpec, Codec, ConsumeSpec, ProduceSpec};
use super::stage::{Stage, free_ports};
use super::steer::{Shown, Steering};
use super::steps::{How, STEPS, Step};
use super::summary::{Aside, PhaseSummary, Summary};
use crate::history;

const MIGRATION: &str = "demo";
const GROUPS: [&str; 2] = ["billing", "shipping"];
const PARTITIONS: i32 = 3;
/// Seconds of traffic unless told otherwise.
const SECONDS: u64 = 35;
/// Values a second, all producers together, and as many in all at least.
const RATE_MIN: u64 = 1_200;
const VALUES_MIN: u64 = 40_000;
/// How long a phase may take to be reached.
const PHASE_WAIT: Duration = Duration::from_secs(60);
/// How long groups may take to settle, and to read what is left.
const SETTLE_WAIT: Duration = Duration::from_secs(60);
const DRAIN_WAIT: Duration = Duration::from_secs(30);
/// How often the screen is drawn.
const DRAW: Duration = Duration::from_millis(200);
/// Histories larger than this are left to the account alone, which needs less memory for a value.
const CHECKED_VALUES_MAX: u64 = 500_000;

/// Where everything is.
struct Places {
    /// What clients connect to.
    bootstrap: String,
    topics: Vec<String>,
    groups: Vec<String>,
}

struct Walk<'a> {
    stage: &'a mut Stage,
    heard: mpsc::Receiver<Line>,
    account: Account,
    screen: Screen,
    shown: watch::Receiver<Shown>,
    /// Acknowledged so far, at moments of the last second.
    recent: VecDeque<(Instant, u64)>,
    phase: String,
    fence_ms_reported: u64,
    rebalances_at_start: u64,
    rebalances: u64,
    /// Legacy led again, and clients went on there.
    rolled_back: bool,
    remarks: Vec<String>,
    drawn: Instant,
    /// Whether what stock clients keep to themselves is told.
    notes: bool,
}

/// Runs the demo on `stage`, whose clients speak through `heard`.
pub(super) async fn run(
    options: &Options,
    stage: &mut Stage,
    heard: mpsc::Receiver<Line>,
) -> anyhow::Result<Summary> {
    let screen = Screen::new(options.json);
    let account = Account::new(&GROUPS.map(|group| group_name(options, group)));
    let (_nobody, shown) = watch::channel(Shown::default());
    let mut walk = Walk {
        stage,
        heard,
        account,
        screen,
        shown,
        recent: VecDeque::new(),
        phase: "starting".to_owned(),
        fence_ms_reported: 0,
        rebalances_at_start: 0,
        rebalances: 0,
        rolled_back: false,
        remarks: Vec::new(),
        drawn: Instant::now(),
        notes: std::env::var_os("SLUICE_DEMO_NOTES").is_some(),
    };
    let outcome = walk.go(options).await;
    walk.screen.clear();
    outcome
}

/// On a real cluster names must not meet those of an earlier run.
fn group_name(options: &Options, group: &str) -> String {
    match options.legacy {
        Some(_) => format!("{group}-{}", std::process::id()),
        None => group.to_owned(),
    }
}

impl Walk<'_> {
    async fn go(&mut self, options: &Options) -> anyhow::Result<Summary> {
        let topics = ["orders", "payments"].map(|topic| group_name(options, topic)).to_vec();
        let groups = GROUPS.map(|group| group_name(options, group)).to_vec();
        let ports = free_ports(16)?;
        let [legacy_admin, legacy_port, admin, listen, first, .., last, kernel] = ports.as_slice() else {
            anyhow::bail!("no ports");
        };
        let legacy = match &options.legacy {
            Some(address) => address.clone(),
            None => format!("127.0.0.1:{legacy_port}"),
        };
        let past = if options.legacy.is_none() {
            self.screen.tell("legacy: a second kernel in its own process stands in for a Kafka cluster");
            self.stand_in(&topics, *legacy_admin, *legacy_port).await?
        } else {
            self.screen.tell(&format!("legacy: the Kafka cluster at {legacy}"));
            self.write_past(&legacy, &topics).await?
        };
        self.prepare(&legacy, &topics, past).await?;
        if options.rehearsal {
            return self.rehearse(options, Places { bootstrap: legacy, topics, groups }).await;
        }
        let bootstrap = format!("127.0.0.1:{listen}");
        let places = Places { bootstrap, topics, groups };
        let moves = moves(options, &places);
        let ports = (*first, *last);
        let config = proxy_config(self.stage.folder(), &places, &moves, &legacy, *admin, ports, *kernel);
        self.stage.serve("sluice", &config, *admin).await?;
        let steering = Steering::new(format!("127.0.0.1:{admin}"), MIGRATION);
        self.shown = steering.watch();
        self.screen.tell(&format!(
            "sluice: clients connect to {}, admin API at 127.0.0.1:{admin}",
            places.bootstrap
        ));
        let (topics, groups) = (moves.0.join(", "), moves.1.join(", "));
        self.screen.tell(&format!("moves: topics {topics}; groups {groups}"));
        self.begin("observe");
        self.start_clients(&places, options).await?;
        let (ends, verified) = self.walk(&steering, options).await?;
        self.drain(&places).await?;
        self.judge(options, &legacy, &ends, verified).await
    }

    fn begin(&mut self, phase: &str) {
        self.account.begin_phase(phase, now_ms());
        self.phase = phase.to_owned();
    }

    /// The same traffic and account without a proxy: one phase, no fence.
    async fn rehearse(&mut self, options: &Options, places: Places) -> anyhow::Result<Summary> {
        self.begin("rehearsal");
        self.start_clients(&places, options).await?;
        self.until(Duration::from_secs(options.seconds.unwrap_or(SECONDS)), |_| false).await?;
        let end = now_ms();
        self.drain(&places).await?;
        self.judge(options, &places.bootstrap.clone(), &[end], false).await
    }

    async fn start_clients(&mut self, places: &Places, options: &Options) -> anyhow::Result<()> {
        for (index, group) in places.groups.iter().enumerate() {
            for number in 1..=2 {
                // By these names a canary of half of them takes one of each group.
                let member = format!("reader-{}", index * 2 + number);
                let spec = ConsumeSpec {
                    member: member.clone(),
                    group: group.clone(),
                    bootstrap: vec![places.bootstrap.clone()],
                    topics: places.topics.clone(),
                };
                self.stage.client(&member, &ClientSpec::Consume(spec))?;
            }
        }
        for (name, acks_all, idempotent, in_flight_max, codec) in [
            ("writer-1", true, true, 5, Codec::None),
            ("writer-2", true, true, 5, Codec::Lz4),
            ("writer-3", false, false, 1, Codec::Gzip),
        ] {
            let spec = ProduceSpec {
                client: name.to_owned(),
                bootstrap: vec![places.bootstrap.clone()],
                topics: places.topics.clone(),
                rate: u32::try_from(rate(options) / 3).unwrap_or(u32::MAX),
                acks_all,
                idempotent,
                in_flight_max,
                codec,
                records: 0,
            };
            self.stage.client(name, &ClientSpec::Produce(spec))?;
        }
        self.screen.tell(
            "clients: 3 producers (2 idempotent with acks=all, 1 with acks=1), 2 groups of 2 members, 7 processes",
        );
        let wanted = places.topics.len() * usize::try_from(PARTITIONS).unwrap_or(0);
        let groups = places.groups.clone();
        let settled = move |account: &Account| {
            account.acknowledged() > 0 && groups.iter().all(|group| account.owned(group) == (wanted, 2))
        };
        self.until(SETTLE_WAIT, settled)
            .await?
            .then_some(())
            .context("the clients did not settle in time")?;
        self.rebalances_at_start = self.account.rebalances();
        Ok(())
    }

    /// Walks through the phases; when each ended, and whether the comparisons held.
    async fn walk(&mut self, steering: &Steering, options: &Options) -> anyhow::Result<(Vec<u64>, bool)> {
        let share = u32::try_from(STEPS.len()).unwrap_or(1);
        let hold = Duration::from_secs(options.seconds.unwrap_or(SECONDS).max(5)) / share;
        let mut ends = Vec::new();
        let mut compared = Vec::new();
        for step in STEPS {
            let phase = step.name;
            let begun = now_ms();
            // The first phase began with the clients.
            if step.how != How::Begin {
                self.begin(phase);
                self.enter(steering, step).await?;
            }
            self.screen.tell(&format!("{phase}: reached after {} ms", now_ms().saturating_sub(begun)));
            self.until(hold, |_| false).await?;
            if let How::Canary(percent) = step.how {
                self.tell_canary(steering, percent).await?;
            }
            if step.compare {
                match self.beside(steering.clone(), |steering| async move { steering.verify().await }).await?
                {
                    Ok(holds) => compared.push(holds),
                    Err(error) => {
                        self.remarks.push(format!("in {phase} the sides were not compared: {error}"))
                    }
                }
            }
            ends.push(now_ms());
        }
        let reported =
            self.beside(steering.clone(), |steering| async move { steering.longest_fence_ms().await });
        let reported = reported.await?.unwrap_or(0);
        self.fence_ms_reported = self.fence_ms_reported.max(reported);
        Ok((ends, !compared.is_empty() && compared.iter().all(|holds| *holds)))
    }

    /// Says who read from the kernel in canary.
    async fn tell_canary(&mut self, steering: &Steering, percent: u8) -> anyhow::Result<()> {
        let ask = |steering: Steering| async move { steering.canary().await };
        match self.beside(steering.clone(), ask).await? {
            Ok(canary) => {
                let (reading, served, back) = (canary.reading, canary.served, canary.sent_back);
                self.screen.tell(&format!(
                    "canary {percent} %: {reading} of 4 consumers read from the kernel, {served} fetches, {back} sent back"
                ));
            }
            Err(error) => self.remarks.push(format!("the canary did not show itself: {error}")),
        }
        Ok(())
    }

    async fn enter(&mut self, steering: &Steering, step: Step) -> anyhow::Result<()> {
        let phase = step.phase;
        let order = move |steering: Steering| async move {
            match step.how {
                How::Canary(percent) => steering.advance(phase, Some(percent), PHASE_WAIT).await,
                How::Begin | How::Advance => steering.advance(phase, None, PHASE_WAIT).await,
                How::Rollback => steering.rollback(phase, PHASE_WAIT).await,
            }
        };
        self.beside(steering.clone(), order).await??;
        let until = Instant::now() + PHASE_WAIT;
        let reached = |shown: &Shown| shown.phase == phase && shown.wanted.is_none();
        while !reached(&self.shown.borrow()) {
            let stuck = Instant::now() >= until;
            let (doing, red) = {
                let shown = self.shown.borrow();
                (shown.doing.clone(), shown.red.join(", "))
            };
            ensure!(!stuck, "{phase} was not reached in time: {doing}; missing at the gate: {red}");
            self.until(Duration::from_millis(50), |_| false).await?;
        }
        self.rolled_back |= step.how == How::Rollback;
        Ok(())
    }

    /// Does something slow while lines are taken and the screen is drawn.
    async fn beside<F, R, T>(&mut self, steering: Steering, what: F) -> anyhow::Result<T>
    where
        F: FnOnce(Steering) -> R,
        R: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let task = tokio::spawn(what(steering));
        while !task.is_finished() {
            self.until(Duration::from_millis(20), |_| false).await?;
        }
        Ok(task.await?)
    }

    /// Takes lines for `time`, or until `done`; says whether it was done.
    async fn until(&mut self, time: Duration, done: impl Fn(&Account) -> bool) -> anyhow::Result<bool> {
        let end = Instant::now() + time;
        loop {
            if done(&self.account) {
                return Ok(true);
            }
            if Instant::now() >= end {
                return Ok(false);
            }
            let tick = (Instant::now() + Duration::from_millis(20)).min(end);
            if let Ok(Some(line)) = tokio::time::timeout_at(tick, self.heard.recv()).await {
                self.take(&line);
            }
            while let Ok(line) = self.heard.try_recv() {
                self.take(&line);
            }
            self.look()?;
        }
    }

    fn take(&mut self, line: &Line) {
        if let Line::Error { error } = line {
            self.screen.tell(&format!("client error: {error}"));
        }
        if let Line::Note { note, .. } = line
            && self.notes
        {
            self.screen.tell(note);
        }
        self.account.take(line);
    }

    fn look(&mut self) -> anyhow::Result<()> {
        ensure!(!self.account.overflowed(), "more values than the account can hold: ask for fewer seconds");
        let reported = self.shown.borrow().fenced_ms.unwrap_or(0);
        self.fence_ms_reported = self.fence_ms_reported.max(reported);
        if self.drawn.elapsed() < DRAW {
            return Ok(());
        }
        self.stage.check_servers()?;
        self.drawn = Instant::now();
        self.recent.push_back((self.drawn, self.account.acknowledged()));
        while self.recent.front().is_some_and(|(at, _)| at.elapsed() > Duration::from_secs(1)) {
            self.recent.pop_front();
        }
        let view = self.view();
        self.screen.draw(&view);
        Ok(())
    }

    fn view(&self) -> View {
        let shown = self.shown.borrow();
        let first = self.recent.front().copied().unwrap_or((Instant::now(), 0));
        let ms = u64::try_from(first.0.elapsed().as_millis()).unwrap_or(0).max(1);
        let gate = match (&shown.wanted, shown.red.is_empty()) {
            (None, _) => "closed until the next order".to_owned(),
            (Some(wanted), true) => format!("green to {wanted}"),
            (Some(wanted), false) => format!("to {wanted} missing: {}", shown.red.join(", ")),
        };
        View {
            phase: self.phase.clone(),
            doing: shown.doing.clone(),
            acknowledged: self.account.acknowledged(),
            per_second: self.account.acknowledged().saturating_sub(first.1) * 1000 / ms,
            unread: self.account.unread().map(|(group, count)| (group.to_owned(), count)).collect(),
            fence_ms: self.account.fences().iter().map(super::timeline::Fence::ms).max().unwrap_or(0),
            lag: shown.lag_records,
            gate,
            client_errors: self.account.client_errors(),
        }
    }

    /// Lets producers finish, groups read the rest, and members leave.
    async fn drain(&mut self, places: &Places) -> anyhow::Result<()> {
        self.phase = "draining".to_owned();
        self.finish("writer").await?;
        self.until(DRAIN_WAIT, Account::drained).await?;
        // Reads that should not be there come late, too: duplicates lie behind what was waited for.
        self.until(Duration::from_secs(1), |_| false).await?;
        // Leaving makes the others join again: that is no rebalance of the migration.
        self.rebalances = self.account.rebalances().saturating_sub(self.rebalances_at_start);
        self.finish("reader").await?;
        let unread: u64 = self.account.unread().map(|(_, count)| count).sum();
        self.screen.tell(&format!("drained: {unread} values left to {} groups", places.groups.len()));
        Ok(())
    }

    async fn finish(&mut self, prefix: &str) -> anyhow::Result<()> {
        self.stage.tell_to_finish(prefix);
        let until = Instant::now() + Stage::patience();
        loop {
            let (all, wrong) = self.stage.finished(prefix)?;
            if all {
                // What they said last is still on its way.
                self.until(Duration::from_millis(200), |_| false).await?;
                wrong.iter().for_each(|wrong| self.account.client_error(wrong));
                return Ok(());
            }
            if Instant::now() >= until {
                self.account.client_error(&format!("a {prefix} did not end in time"));
                return Ok(());
            }
            self.until(Duration::from_millis(50), |_| false).await?;
        }
    }

    async fn judge(
        &mut self,
        options: &Options,
        legacy: &str,
        ends: &[u64],
        verified: bool,
    ) -> anyhow::Result<Summary> {
        let shown = self.shown.borrow().clone();
        let verdict = self.account.verdict();
        let fences = self.account.fences();
        let seen = self.account.timeline().phases();
        let summary_of = |(phase, end): (&super::timeline::PhaseSeen, &u64)| PhaseSummary {
            phase: phase.phase.clone(),
            seconds: seconds(end.saturating_sub(phase.from_ms)),
            acknowledged: phase.acknowledged,
            fence_ms: longest(fences.iter().filter(|f| f.until_ms >= phase.from_ms && f.until_ms < *end)),
        };
        let phases: Vec<PhaseSummary> = seen.iter().zip(ends).map(summary_of).collect();
        let from_ms = seen.first().map_or(0, |phase| phase.from_ms);
        let pause_ms_max =
            self.account.timeline().longest_pause_ms(from_ms, ends.last().copied().unwrap_or(from_ms));
        let violations = self.check_history(verdict.acknowledged).await?;
        Ok(Summary {
            protocol: "kafka".to_owned(),
            legacy: if options.legacy.is_some() { legacy.to_owned() } else { "stand-in kernel".to_owned() },
            phases,
            acknowledged: verdict.acknowledged,
            delivered: verdict.delivered,
            lost: verdict.lost,
            duplicated: verdict.duplicated,
            redelivered: verdict.redelivered,
            reordered: verdict.reordered,
            divergences: shown.divergences,
            explained: shown.divergences.saturating_sub(shown.unexplained),
            client_errors: verdict.client_errors,
            fence_ms_max: longest(fences.iter()),
            rolled_back: self.rolled_back,
            verified,
            aside: Aside {
                fences,
                pause_ms_max,
                rebalances: self.rebalances,
                fence_ms_reported: self.fence_ms_reported,
                verdict,
                violations,
                remarks: std::mem::take(&mut self.remarks),
                phases_wanted: if options.rehearsal { 1 } else { STEPS.len() },
            },
        })
    }

    /// The log checks over the same lines: a second judge that shares nothing with the account.
    async fn check_history(&mut self, values: u64) -> anyhow::Result<Vec<String>> {
        if values > CHECKED_VALUES_MAX {
            self.remarks
                .push("too many values for the log checks: the account alone has judged them".to_owned());
            return Ok(Vec::new());
        }
        let paths = self.stage.histories().to_vec();
        let report = tokio::task::spawn_blocking(move || history::check(&paths)).await??;
        let shown = |(kind, found): (&history::Kind, &history::Found)| {
            format!("{kind}: {} ({})", found.count, found.examples.first().map_or("", String::as_str))
        };
        let mut violations: Vec<String> = report.violations.iter().map(shown).collect();
        violations.extend(report.unfinished.iter().map(|who| format!("{who} did not finish")));
        Ok(violations)
    }
}

fn rate(options: &Options) -> u64 {
    let seconds = options.seconds.unwrap_or(SECONDS).max(5);
    RATE_MIN.max(VALUES_MIN / seconds)
}

fn longest<'a>(fences: impl Iterator<Item = &'a super::timeline::Fence>) -> u64 {
    fences.map(super::timeline::Fence::ms).max().unwrap_or(0)
}

/// To a tenth.
fn seconds(ms: u64) -> f64 {
    let tenths = u32::try_from((ms + 50) / 100).unwrap_or(u32::MAX);
    f64::from(tenths) / 10.0
}

fn legacy_config(folder: &Path, admin: u16, port: u16) -> String {
    format!(
        "[kernel]\npath = {:?}\nnode_id = 7\nshards = 1\nsync = \"page-cache\"\n\n[kernel.kafka]\nlisten = \
         \"127.0.0.1:{port}\"\noffsets_topic = true\n\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n\n[log]\nlevel = \"warn\"\n",
        folder.join("legacy-data").display().to_string(),
    )
}

/// Patterns of the topics and groups that move. On a real cluster other clients may take part: what is named
/// after the demo's own moves with it.
fn moves(options: &Options, places: &Places) -> (Vec<String>, Vec<String>) {
    let more = if options.legacy.is_some() { "*" } else { "" };
    let patterns = |names: &[String]| names.iter().map(|name| format!("{name}{more}")).collect();
    (patterns(&places.topics), patterns(&places.groups))
}

fn proxy_config(
    folder: &Path,
    places: &Places,
    moves: &(Vec<String>, Vec<String>),
    legacy: &str,
    admin: u16,
    ports: (u16, u16),
    kernel: u16,
) -> String {
    format!(
        "[kernel]\npath = {:?}\nnode_id = 1\n\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n\n[log]\nlevel = \
         \"warn\"\n\n[[cluster]]\nname = \"demo\"\nprotocol = \"kafka\"\nlegacy = [{legacy:?}]\nlisten = \
         {:?}\nports = \"{}-{}\"\nkernel_listen = \"127.0.0.1:{kernel}\"\n\n[[migration]]\nname = \
         {MIGRATION:?}\ncluster = \"demo\"\ntopics = {:?}\ngroups = {:?}\naccept_single_copy = \
         true\n\n[migration.limits]\nfence_units_max = 2\n",
        folder.join("kernel-data").display().to_string(),
        places.bootstrap,
        ports.0,
        ports.1,
        moves.0,
        moves.1,
    )
}
