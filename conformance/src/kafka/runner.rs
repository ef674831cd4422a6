//! Walks through the tables in several lanes, asks both endpoints the same at the same time, and gathers the rows.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kafka_protocol::messages::ApiKey;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::asking::{ROW_WAIT, answer};
use super::case::Case;
use super::endpoint::Endpoint;
use super::judge::{judge, judge_facts};
use super::manifest::APIS;
use super::report::{Counts, Report, Row, Side, Verdict};
use super::scenario::{Scenario, play};
use super::scene::{Given, Scene};
use super::wire::WireError;
use super::{Listed, Options, RunError, cases, manifest, scenarios};

/// Rows that are asked at the same time, each over connections of its own: groups and leaders make a row wait, not the
/// machine.
const LANES: usize = 6;

/// What a run could ask.
pub(super) fn list(only: &[String]) -> Vec<Listed> {
    let case = |case: &Case| Listed {
        id: case_id(case),
        versions: Some(case.versions),
        expected: case.expect.words(),
    };
    let scenario = |scenario: &Scenario| Listed {
        id: scenario_id(scenario),
        versions: None,
        expected: "holds".to_owned(),
    };
    let (cases, scenarios) = (cases::all(), scenarios::all());
    let listed = cases.iter().map(case).chain(scenarios.iter().map(scenario));
    listed.filter(|listed| wanted(only, &listed.id)).collect()
}

fn case_id(case: &Case) -> String {
    format!("{:?}/{}", case.api, case.name)
}

fn scenario_id(scenario: &Scenario) -> String {
    format!("{}/{}", scenario.statement, scenario.name)
}

fn wanted(only: &[String], id: &str) -> bool {
    let id = id.to_lowercase();
    only.is_empty() || only.iter().any(|part| id.contains(&part.to_lowercase()))
}

/// Runs what matches and writes the report.
pub(super) async fn run(options: &Options) -> Result<Report, RunError> {
    if list(&options.only).is_empty() {
        return Err(RunError::NothingMatches(options.only.clone()));
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let began_ms = millis(since);
    let began = Instant::now();
    let sides = Sides::open(options).await?;
    let reference =
        sides.reference.as_ref().zip(options.reference.as_ref()).map(|(side, at)| side_of(at, side));
    let candidate = side_of(&options.candidate, &sides.candidate);
    let mut rows = uncovered(&sides, &options.only);
    let work = Work {
        jobs: jobs(&sides, &options.only),
        next: AtomicUsize::new(0),
        tag: format!("conformance-{began_ms:x}"),
        time_ms: i64::try_from(began_ms).unwrap_or(0),
        began,
    };
    warm(sides, &work.tag, work.time_ms).await;
    rows.extend(lanes(Arc::new(work), options).await?);
    let report = Report {
        suite: env!("CARGO_PKG_VERSION"),
        began_ms,
        took_ms: millis(began.elapsed()),
        only: options.only.clone(),
        reference,
        candidate,
        counts: Counts::of(&rows),
        rows,
    };
    report.write(&options.report)?;
    Ok(report)
}

fn side_of(address: &str, endpoint: &Endpoint) -> Side {
    let versions = endpoint.versions().iter().map(|(key, range)| (manifest::name(*key), *range)).collect();
    Side { address: address.to_owned(), versions }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Lets both sides find their coordinators and make their internal topics, which a first request of its kind would otherwise
/// wait for, or be refused over. Whatever fails here shows in the rows.
async fn warm(mut sides: Sides, tag: &str, time_ms: i64) {
    for given in [Given::Committed, Given::InTransaction] {
        let tag = format!("{tag}-warm-{given:?}");
        let reference = async {
            if let Some(side) = sides.reference.as_mut() {
                let _shown_by_rows =
                    tokio::time::timeout(ROW_WAIT, Scene::set(side, given, &tag, time_ms)).await;
            }
        };
        let candidate =
            tokio::time::timeout(ROW_WAIT, Scene::set(&mut sides.candidate, given, &tag, time_ms));
        let _shown_by_rows = tokio::join!(reference, candidate);
    }
}

/// Something to ask.
#[derive(Clone)]
enum Job {
    Case(Case, i16),
    Scenario(Scenario),
}

/// What the lanes share.
struct Work {
    jobs: Vec<Job>,
    next: AtomicUsize,
    /// Begins every name of the run.
    tag: String,
    /// When it began; every record is from then.
    time_ms: i64,
    began: Instant,
}

/// Connections of one lane to both endpoints.
struct Sides {
    reference: Option<Endpoint>,
    candidate: Endpoint,
}

impl Sides {
    async fn open(options: &Options) -> Result<Self, RunError> {
        let reference = match &options.reference {
            Some(address) => Some(open("reference", address).await?),
            None => None,
        };
        Ok(Self { reference, candidate: open("candidate", &options.candidate).await? })
    }

    /// Whether anybody serves this version.
    fn serve(&self, key: ApiKey, version: i16) -> bool {
        let key = key as i16;
        self.candidate.serves(key, version)
            || self.reference.as_ref().is_some_and(|side| side.serves(key, version))
    }
}

async fn open(role: &'static str, address: &str) -> Result<Endpoint, RunError> {
    let unreachable = |error: WireError| RunError::Unreachable {
        role,
        address: address.to_owned(),
        why: error.to_string(),
    };
    Endpoint::open(address).await.map_err(unreachable)
}

fn jobs(sides: &Sides, only: &[String]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for case in cases::all().into_iter().filter(|case| wanted(only, &case_id(case))) {
        let (oldest, newest) = case.versions;
        let served = (oldest..=newest).filter(|version| sides.serve(case.api, *version));
        jobs.extend(served.map(|version| Job::Case(case, version)));
    }
    let scenarios = scenarios::all().into_iter();
    jobs.extend(scenarios.filter(|each| wanted(only, &scenario_id(each))).map(Job::Scenario));
    jobs
}

/// A row for every version of the manifest that somebody advertises and no case asks in.
fn uncovered(sides: &Sides, only: &[String]) -> Vec<Row> {
    let cases = cases::all();
    let mut rows = Vec::new();
    for api in APIS {
        let own = cases.iter().filter(|case| case.api == api.key);
        let asked: BTreeSet<i16> = own.flat_map(|case| case.versions.0..=case.versions.1).collect();
        let advertised = (0..=i16::from(u8::MAX)).filter(|version| sides.serve(api.key, *version));
        for version in advertised.filter(|version| !asked.contains(version)) {
            let name = "every case".to_owned();
            let why = if sides.candidate.serves(api.key as i16, version) {
                let why = "the stock codec does not know this version".to_owned();
                Verdict::Uncovered { why }
            } else {
                Verdict::NotServed { why: format!("{:?} v{version} is not advertised", api.key) }
            };
            if wanted(only, &format!("{:?}/{name}", api.key)) {
                rows.push(case_row(
                    api.key,
                    version,
                    name,
                    "as the reference".to_owned(),
                    why,
                    Duration::ZERO,
                ));
            }
        }
    }
    rows
}

fn case_row(
    api: ApiKey,
    version: i16,
    name: String,
    expected: String,
    verdict: Verdict,
    took: Duration,
) -> Row {
    Row {
        id: format!("{api:?}/v{version}/{name}"),
        subject: format!("{api:?}"),
        class: manifest::priority(api),
        version: Some(version),
        name,
        expected,
        verdict,
        took_ms: millis(took),
    }
}

/// Runs every job, each lane over connections of its own; rows come back in the order of the jobs.
async fn lanes(work: Arc<Work>, options: &Options) -> Result<Vec<Row>, RunError> {
    let mut lanes = JoinSet::new();
    for _ in 0..LANES.min(work.jobs.len()) {
        let sides = Sides::open(options).await?;
        lanes.spawn(lane(Arc::clone(&work), sides));
    }
    let mut rows: Vec<(usize, Row)> = lanes.join_all().await.into_iter().flatten().collect();
    rows.sort_by_key(|(index, _)| *index);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

async fn lane(work: Arc<Work>, mut sides: Sides) -> Vec<(usize, Row)> {
    let mut rows = Vec::new();
    loop {
        let index = work.next.fetch_add(1, Ordering::Relaxed);
        let Some(job) = work.jobs.get(index) else { return rows };
        let tag = format!("{}-{index}", work.tag);
        let row = match job {
            Job::Case(case, version) => ask(&mut sides, case, *version, &tag, work.time_ms).await,
            Job::Scenario(scenario) => perform(&mut sides, scenario, &tag, work.time_ms).await,
        };
        let seconds = work.began.elapsed().as_secs();
        // Progress that nobody reads is no failure.
        let _unread = writeln!(std::io::stderr(), "{seconds:5} s  {:10}  {}", row.verdict.word(), row.id);
        rows.push((index, row));
    }
}

/// One case in one version.
async fn ask(sides: &mut Sides, case: &Case, version: i16, tag: &str, time_ms: i64) -> Row {
    let began = Instant::now();
    let key = case.api as i16;
    let verdict = if sides.candidate.serves(key, version) {
        let reference = async {
            let side = sides.reference.as_mut().filter(|side| side.serves(key, version))?;
            Some(answer(side, case, version, tag, time_ms).await)
        };
        let (reference, candidate) =
            tokio::join!(reference, answer(&mut sides.candidate, case, version, tag, time_ms));
        judge(&case_id(case), &format!("{:?}", case.api), case.expect, reference.as_ref(), &candidate)
    } else {
        Verdict::NotServed { why: format!("{:?} v{version} is not advertised", case.api) }
    };
    case_row(case.api, version, case.name.to_owned(), case.expect.words(), verdict, began.elapsed())
}

/// One scenario.
async fn perform(sides: &mut Sides, scenario: &Scenario, tag: &str, time_ms: i64) -> Row {
    let began = Instant::now();
    let bounded = |endpoint| tokio::time::timeout(ROW_WAIT, play(endpoint, scenario, tag, time_ms));
    let reference = async {
        match sides.reference.as_mut() {
            Some(side) => Some(bounded(side).await),
            None => None,
        }
    };
    let (reference, candidate) = tokio::join!(reference, bounded(&mut sides.candidate));
    let reference = reference.map(|played| played.unwrap_or_else(|_| Err(super::scenario::slow())));
    let candidate = candidate.unwrap_or_else(|_| Err(super::scenario::slow()));
    Row {
        id: scenario_id(scenario),
        subject: scenario.statement.to_owned(),
        class: "semantics",
        version: None,
        name: scenario.name.to_owned(),
        expected: "holds".to_owned(),
        verdict: judge_facts(&scenario_id(scenario), reference, candidate),
        took_ms: millis(began.elapsed()),
    }
}
