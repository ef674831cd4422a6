//! What must hold before a migration takes a step, and what to do about what does not.

use std::collections::BTreeMap;

use serde::Serialize;
use session::UnitId;

use super::phase::Phase;
use crate::announce::bytes;

/// How far the kernel is behind legacy for one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Lag {
    /// Records that legacy has and the kernel has not; [`Lag::UNKNOWN`] before the copy has begun.
    pub records: u64,
    /// Age of the oldest of them, in seconds.
    pub seconds: u64,
    /// Why the feed has stopped, if it has.
    pub stopped: Option<String>,
    /// Legacy has been silent: since when, and why. The numbers are as of then.
    pub unheard: Option<String>,
}

impl Lag {
    /// Records of a copy that nobody knows the length of yet.
    pub const UNKNOWN: u64 = u64::MAX;
}

/// Whether a rollback of a unit would lose nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WayBack {
    /// It would lose nothing.
    Open,
    /// It would lose nothing, and waits until so many records have come to legacy.
    Lagging(u64),
    /// It would, or is not possible: why.
    Closed(String),
}

impl WayBack {
    /// Of two units that go together: the worse one.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Closed(reason), _) | (_, Self::Closed(reason)) => Self::Closed(reason),
            (Self::Lagging(one), Self::Lagging(more)) => Self::Lagging(one.saturating_add(more)),
            (Self::Lagging(records), Self::Open) | (Self::Open, Self::Lagging(records)) => {
                Self::Lagging(records)
            }
            (Self::Open, Self::Open) => Self::Open,
        }
    }
}

/// Somebody uses what the kernel does not serve, or a unit is of a kind that cannot move yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unsupported {
    /// Short stable word: `transactions`, `kip-848`, `share-groups`, `log-append-time`.
    pub feature: String,
    /// The client's id, or the unit's name.
    pub who: String,
    /// First phase that it keeps the migration from.
    pub from_phase: Phase,
}

/// What is known of a migration when its gate is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Situation {
    /// By unit. A unit without an entry has no feed.
    pub lag: BTreeMap<UnitId, Lag>,
    /// Whether each unit could go back: where legacy is primary, what it would be after a cutover. A unit that the
    /// kernel serves and that has no entry is not known to be able to.
    pub way_back: BTreeMap<UnitId, WayBack>,
    /// Divergences that nothing explains.
    pub unexplained_divergences: u64,
    /// Units that a damaged source or a contradiction has stopped, with the reason.
    pub stopped: BTreeMap<UnitId, String>,
    /// What is used and not served.
    pub unsupported: Vec<Unsupported>,
    /// Why the groups of the migration are not followed yet, if they are to move.
    pub groups_not_followed: Option<String>,
    /// What keeps the kernel from deciding who may do what as legacy does. `None`: not known yet.
    pub rules_missing: Option<Vec<String>>,
    /// Users seen who do not exist in the kernel's own store.
    pub users_not_stored: Vec<String>,
    /// The operator accepts one disk in place of replicas.
    pub accept_single_copy: bool,
    /// Highest replication factor of the units on legacy (0: not known yet).
    pub legacy_replicas: u32,
    /// Why the kernel should take nothing more, if so.
    pub kernel_trouble: Option<String>,
    /// Free bytes on the kernel's disk (`None`: the store is in memory).
    pub disk_free_bytes: Option<u64>,
    /// Bytes that the units still need: what is not mirrored yet, as far as it is known.
    pub disk_needed_bytes: u64,
    /// Bytes that must stay free beside that.
    pub disk_reserve_bytes: u64,
    /// Shards of the kernel that refuse writes for lack of space.
    pub disk_full: Vec<String>,
    /// All units move in one handover (there are transactional ids among them), which moves at most so many.
    pub move_together: Option<usize>,
    /// Units that clients still reach on legacy (before `retired`).
    pub served_by_legacy: Vec<UnitId>,
}

/// Bounds that a gate measures against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateLimits {
    /// Most records of lag per unit.
    pub lag_records_max: u64,
    /// Most seconds of lag per unit.
    pub lag_seconds_max: u64,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self { lag_records_max: 10_000, lag_seconds_max: 10 }
    }
}

/// One requirement and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Requirement {
    /// Short stable name.
    pub name: &'static str,
    /// Whether it holds.
    pub green: bool,
    /// What is missing; empty while green.
    pub missing: String,
    /// What to do about it; empty while green.
    pub remedy: &'static str,
}

/// The gate before one phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateReport {
    /// The phase behind it.
    pub to: Phase,
    /// All requirements of that phase.
    pub requirements: Vec<Requirement>,
    /// What whoever takes the step gives up with it, in sentences. None of it keeps the gate from being green.
    pub gives_up: Vec<String>,
}

impl GateReport {
    /// Whether every requirement holds.
    #[must_use]
    pub fn green(&self) -> bool {
        self.requirements.iter().all(|requirement| requirement.green)
    }

    /// What is missing, one line each, with what to do.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let red = self.requirements.iter().filter(|requirement| !requirement.green);
        red.map(|red| format!("{}: {}; {}", red.name, red.missing, red.remedy)).collect()
    }
}

/// Most units that a sentence about a way back names.
const CLOSING_NAMED_MAX: usize = 3;

/// Asks the gate before `to` for these units.
#[must_use]
pub fn check(to: Phase, units: &[UnitId], situation: &Situation, limits: GateLimits) -> GateReport {
    let mut requirements = vec![
        units_known(units),
        none_stopped(situation),
        supported(to, situation),
        kernel_healthy(situation),
        disk_room(situation),
    ];
    if to >= Phase::DualWrite {
        requirements.push(lag_small(units, situation, limits));
        requirements.push(divergences_explained(situation));
    }
    if to >= Phase::Cutover {
        requirements.push(groups_followed(situation));
        requirements.extend(situation.move_together.map(|most| fits_together(units, most)));
    }
    if to >= Phase::Canary {
        requirements.push(rules_imported(situation));
        requirements.push(single_copy(situation));
    }
    if to == Phase::Retired {
        requirements.push(users_stored(situation));
        requirements.push(legacy_unused(situation));
    }
    let gives_up = if to >= Phase::Cutover { given_up(situation) } else { Vec::new() };
    GateReport { to, requirements, gives_up }
}

/// What a cutover gives up: the ways back that it closes, a sentence for each reason.
#[must_use]
pub fn given_up(situation: &Situation) -> Vec<String> {
    let mut closing: BTreeMap<&str, Vec<&UnitId>> = BTreeMap::new();
    for (unit, way) in &situation.way_back {
        if let WayBack::Closed(reason) = way {
            closing.entry(reason).or_default().push(unit);
        }
    }
    let sentence = |(reason, units): (&str, Vec<&UnitId>)| {
        let named: Vec<String> = units.iter().take(CLOSING_NAMED_MAX).map(ToString::to_string).collect();
        let more = units.len().saturating_sub(named.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("nothing leads back from cutover for {}{more}: {reason}", named.join(", "))
    };
    closing.into_iter().map(sentence).collect()
}

fn requirement(name: &'static str, missing: Option<String>, remedy: &'static str) -> Requirement {
    match missing {
        None => Requirement { name, green: true, missing: String::new(), remedy: "" },
        Some(missing) => Requirement { name, green: false, missing, remedy },
    }
}

fn units_known(units: &[UnitId]) -> Requirement {
    let missing = units.is_empty().then(|| "no topic or group of legacy matches".to_owned());
    requirement("units", missing, "correct the patterns in the configuration, or wait until legacy answers")
}

fn none_stopped(situation: &Situation) -> Requirement {
    let mut stopped = situation.stopped.iter().map(|(unit, reason)| format!("{unit}: {reason}"));
    requirement(
        "source-intact",
        stopped.next(),
        "find out what happened on legacy first, then type the command",
    )
}

fn supported(to: Phase, situation: &Situation) -> Requirement {
    let found: Vec<String> = situation
        .unsupported
        .iter()
        .filter(|unsupported| unsupported.from_phase <= to)
        .map(|unsupported| format!("{} ({})", unsupported.who, unsupported.feature))
        .collect();
    let missing = (!found.is_empty()).then(|| found.join(", "));
    requirement("supported", missing, "change these clients or topics, or leave them out of the migration")
}

fn kernel_healthy(situation: &Situation) -> Requirement {
    requirement(
        "kernel-health",
        situation.kernel_trouble.clone(),
        "read the log, repair the disk if it says so, then restart: nothing acknowledged is lost. While legacy is \
         primary, clients are not touched",
    )
}

fn disk_room(situation: &Situation) -> Requirement {
    let (still, reserve) = (situation.disk_needed_bytes, situation.disk_reserve_bytes);
    let short = situation.disk_free_bytes.filter(|free| *free < still.saturating_add(reserve)).map(|free| {
        format!(
            "{} free under the kernel's path; {} still to be mirrored and {} in reserve do not fit",
            bytes(free),
            bytes(still),
            bytes(reserve)
        )
    });
    let full = (!situation.disk_full.is_empty())
        .then(|| format!("{}: the store refuses writes, its disk is full", situation.disk_full.join(", ")));
    requirement(
        "disk-room",
        full.or(short),
        "free or add disk space under the kernel's path; it goes on by itself",
    )
}

fn lag_small(units: &[UnitId], situation: &Situation, limits: GateLimits) -> Requirement {
    let bad = units.iter().find_map(|unit| match situation.lag.get(unit) {
        None => Some(format!("{unit}: no feed yet")),
        Some(Lag { stopped: Some(reason), .. }) => Some(format!("{unit}: the feed has stopped: {reason}")),
        Some(Lag { unheard: Some(unheard), .. }) => Some(format!("{unit}: {unheard}")),
        Some(Lag { records: Lag::UNKNOWN, .. }) => {
            Some(format!("{unit}: the copy has not begun, or the kernel is asked where it stands"))
        }
        Some(lag) if lag.records > limits.lag_records_max || lag.seconds > limits.lag_seconds_max => {
            Some(format!("{unit}: {} records and {} seconds behind", lag.records, lag.seconds))
        }
        Some(_) => None,
    });
    requirement(
        "feed-lag",
        bad,
        "see that legacy can be reached, and wait; a lag that does not fall: legacy or the kernel's disk is too slow",
    )
}

fn groups_followed(situation: &Situation) -> Requirement {
    requirement(
        "groups-followed",
        situation.groups_not_followed.clone(),
        "wait a moment; where no group has ever committed on legacy, let one commit, or take `groups` out of the \
         migration",
    )
}

fn fits_together(units: &[UnitId], most: usize) -> Requirement {
    let count = units.len();
    requirement(
        "moves-together",
        (count > most).then(|| format!("{count} units, of which one handover moves {most}")),
        "transactional ids move in one handover with everything of their migration: raise `fence_units_max`, or make \
         the migration smaller",
    )
}

fn divergences_explained(situation: &Situation) -> Requirement {
    let count = situation.unexplained_divergences;
    let missing = (count > 0).then(|| format!("{count} that nothing explains"));
    requirement(
        "divergences",
        missing,
        "read them with `sluice ledger`; they are never forgotten by themselves",
    )
}

fn rules_imported(situation: &Situation) -> Requirement {
    let missing = match &situation.rules_missing {
        Some(missing) if missing.is_empty() => None,
        Some(missing) => Some(missing.join("; ")),
        None => Some("legacy has not said yet whether it checks authorisation".to_owned()),
    };
    requirement(
        "authorizer",
        missing,
        "let the user of [cluster.link] describe the cluster's ACLs (Describe on the cluster) and quotas \
         (DescribeConfigs on the cluster); rules that are known are brought to the kernel by themselves",
    )
}

fn single_copy(situation: &Situation) -> Requirement {
    let missing = match (situation.accept_single_copy, situation.legacy_replicas) {
        (true, _) | (false, 1) => None,
        (false, 0) => Some("legacy's replication is not known yet".to_owned()),
        (false, replicas) => Some(format!("legacy keeps {replicas} copies, the kernel one")),
    };
    requirement(
        "single-copy",
        missing,
        "set accept_single_copy = true in the migration if that is acceptable",
    )
}

fn users_stored(situation: &Situation) -> Requirement {
    let missing = (!situation.users_not_stored.is_empty()).then(|| situation.users_not_stored.join(", "));
    requirement("stored-users", missing, "create these users in the kernel's store")
}

fn legacy_unused(situation: &Situation) -> Requirement {
    let names: Vec<String> = situation.served_by_legacy.iter().take(10).map(ToString::to_string).collect();
    let missing = (!names.is_empty()).then(|| names.join(", "));
    requirement("legacy-unused", missing, "cut these over first")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> UnitId {
        UnitId::new("events/orders/0")
    }

    fn good() -> Situation {
        Situation {
            lag: [(unit(), Lag::default())].into(),
            rules_missing: Some(Vec::new()),
            accept_single_copy: true,
            legacy_replicas: 3,
            ..Situation::default()
        }
    }

    fn red(to: Phase, change: impl FnOnce(&mut Situation)) -> Vec<&'static str> {
        let mut situation = good();
        change(&mut situation);
        let report = check(to, &[unit()], &situation, GateLimits::default());
        report.requirements.iter().filter(|requirement| !requirement.green).map(|red| red.name).collect()
    }

    #[test]
    fn what_a_cutover_gives_up_is_said_before_it_and_keeps_nobody_from_it() {
        let mut situation = good();
        for n in 0..5 {
            let unit = UnitId::new(&format!("events/paid/{n}"));
            situation.way_back.insert(unit, WayBack::Closed("markers".to_owned()));
        }
        situation.way_back.insert(unit(), WayBack::Lagging(3));
        let report = |to| check(to, &[unit()], &situation, GateLimits::default());
        let said = "nothing leads back from cutover for events/paid/0, events/paid/1, events/paid/2 and 2 more: markers";
        assert!(report(Phase::Cutover).green());
        assert_eq!(report(Phase::Cutover).gives_up, [said]);
        assert!(report(Phase::DualWrite).gives_up.is_empty());
    }

    #[test]
    fn each_requirement_turns_red_alone_and_names_what_to_do() {
        type Change = fn(&mut Situation);
        let rows: [(&str, Phase, Change); 17] = [
            ("source-intact", Phase::Mirror, |s| drop(s.stopped.insert(unit(), "truncated".to_owned()))),
            ("kernel-health", Phase::Mirror, |s| s.kernel_trouble = Some("stopped".to_owned())),
            ("disk-room", Phase::Mirror, |s| (s.disk_free_bytes, s.disk_needed_bytes) = (Some(1), 2)),
            ("disk-room", Phase::Cutover, |s| (s.disk_free_bytes, s.disk_reserve_bytes) = (Some(1), 2)),
            ("disk-room", Phase::Mirror, |s| s.disk_full.push("shard 0".to_owned())),
            ("feed-lag", Phase::DualWrite, |s| s.lag.clear()),
            ("feed-lag", Phase::DualWrite, |s| s.lag.values_mut().for_each(|lag| lag.seconds = 60)),
            ("feed-lag", Phase::DualWrite, |s| {
                s.lag.values_mut().for_each(|lag| lag.records = Lag::UNKNOWN);
            }),
            ("feed-lag", Phase::DualWrite, |s| {
                s.lag
                    .values_mut()
                    .for_each(|lag| lag.unheard = Some("legacy was last heard 5 s ago".to_owned()));
            }),
            ("groups-followed", Phase::Cutover, |s| s.groups_not_followed = Some("not read".to_owned())),
            ("moves-together", Phase::Cutover, |s| s.move_together = Some(0)),
            ("divergences", Phase::DualWrite, |s| s.unexplained_divergences = 1),
            ("authorizer", Phase::Cutover, |s| s.rules_missing = None),
            ("authorizer", Phase::Cutover, |s| s.rules_missing = Some(vec!["a rule".to_owned()])),
            ("single-copy", Phase::Cutover, |s| s.accept_single_copy = false),
            ("stored-users", Phase::Retired, |s| s.users_not_stored.push("ada".to_owned())),
            ("legacy-unused", Phase::Retired, |s| s.served_by_legacy.push(unit())),
        ];
        for (name, to, change) in rows {
            assert_eq!(red(to, |_| {}), Vec::<&str>::new());
            assert_eq!(red(to, change), [name]);
            let mut situation = good();
            change(&mut situation);
            let missing = check(to, &[unit()], &situation, GateLimits::default()).missing();
            assert!(missing[0].starts_with(name) && missing[0].len() > name.len() + 10);
            assert!(!missing[0].contains(&u64::MAX.to_string()), "{}", missing[0]);
        }
    }

    #[test]
    fn what_is_still_to_come_and_the_reserve_must_fit_together() {
        let room = |free: u64| {
            red(Phase::Mirror, move |s| {
                (s.disk_free_bytes, s.disk_needed_bytes, s.disk_reserve_bytes) = (Some(free), 60, 40);
            })
        };
        assert_eq!((room(99), room(100)), (vec!["disk-room"], vec![]));
        // Sizes of a damaged source must not wrap around into room.
        let wrapped = |s: &mut Situation| {
            (s.disk_free_bytes, s.disk_needed_bytes, s.disk_reserve_bytes) = (Some(9), u64::MAX, 40);
        };
        assert_eq!(red(Phase::Mirror, wrapped), ["disk-room"]);
    }

    #[test]
    fn a_feature_stops_only_the_phases_it_hinders_and_names_the_client() {
        let append_time = Unsupported {
            feature: "log-append-time".to_owned(),
            who: "orders".to_owned(),
            from_phase: Phase::DualWrite,
        };
        let change = |s: &mut Situation| s.unsupported.push(append_time.clone());
        assert_eq!(red(Phase::Mirror, change), Vec::<&str>::new());
        assert_eq!(red(Phase::DualWrite, change), ["supported"]);
        let mut situation = good();
        change(&mut situation);
        let report = check(Phase::DualWrite, &[unit()], &situation, GateLimits::default());
        assert!(report.missing()[0].contains("orders (log-append-time)"));
    }
}
