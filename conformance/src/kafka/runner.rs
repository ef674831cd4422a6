//! Walks through the tables, asks both endpoints, and gathers the rows.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kafka_protocol::messages::ApiKey;
use tokio::time::Instant;

use super::case::{Case, Expect};
use super::endpoint::{At, Endpoint, PATIENCE, PAUSE, StepError};
use super::judge::{Answer, judge};
use super::report::{Counts, Report, Row, Side, Verdict};
use super::scene::Scene;
use super::wire::WireError;
use super::{Listed, Options, RunError, cases, manifest};

/// Longest time for one row, on each side.
const ROW_WAIT: Duration = Duration::from_secs(90);
/// Answers that stand for "not yet": asked again while nothing else is in the answer, unless documented.
const TRANSIENT: [i16; 6] = [5, 6, 14, 15, 16, 51];

/// What a run could ask.
pub(super) fn list(only: &[String]) -> Vec<Listed> {
    let listed = |case: &Case| Listed {
        id: case_id(case),
        versions: Some(case.versions),
        expected: case.expect.words(),
    };
    cases::all().iter().map(listed).filter(|listed| wanted(only, &listed.id)).collect()
}

fn case_id(case: &Case) -> String {
    format!("{:?}/{}", case.api, case.name)
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
    let began_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let began_ms = u64::try_from(began_ms).unwrap_or(u64::MAX);
    let began = Instant::now();
    let reference = match &options.reference {
        Some(address) => Some(open("reference", address).await?),
        None => None,
    };
    let candidate = open("candidate", &options.candidate).await?;
    let sides = (
        options.reference.as_deref().zip(reference.as_ref()).map(side),
        side((&options.candidate, &candidate)),
    );
    let mut run =
        Run { reference, candidate, tag: format!("conformance-{began_ms:x}"), rows: Vec::new(), began };
    run.cases(&options.only).await;
    let report = Report {
        suite: env!("CARGO_PKG_VERSION"),
        began_ms,
        took_ms: millis(began.elapsed()),
        only: options.only.clone(),
        reference: sides.0,
        candidate: sides.1,
        counts: Counts::of(&run.rows),
        rows: run.rows,
    };
    report.write(&options.report)?;
    Ok(report)
}

async fn open(role: &'static str, address: &str) -> Result<Endpoint, RunError> {
    let unreachable = |error: WireError| RunError::Unreachable {
        role,
        address: address.to_owned(),
        why: error.to_string(),
    };
    Endpoint::open(address).await.map_err(unreachable)
}

fn side((address, endpoint): (&str, &Endpoint)) -> Side {
    let versions = endpoint.versions().iter().map(|(key, range)| (manifest::name(*key), *range)).collect();
    Side { address: address.to_owned(), versions }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A run in progress.
struct Run {
    reference: Option<Endpoint>,
    candidate: Endpoint,
    /// Begins every name of the run.
    tag: String,
    rows: Vec<Row>,
    began: Instant,
}

impl Run {
    async fn cases(&mut self, only: &[String]) {
        for (index, case) in cases::all().iter().enumerate() {
            if !wanted(only, &case_id(case)) {
                continue;
            }
            for version in case.versions.0..=case.versions.1 {
                self.case(case, index, version).await;
            }
        }
    }

    /// One case in one version, unless neither side has it.
    async fn case(&mut self, case: &Case, index: usize, version: i16) {
        let key = case.api as i16;
        let serves = |side: &Endpoint| side.serves(key, version);
        let asked = self.candidate.serves(key, version);
        if !asked && !self.reference.as_ref().is_none_or(serves) {
            return;
        }
        let began = Instant::now();
        let verdict = if asked {
            let tag = format!("{}-{index}-{version}", self.tag);
            self.ask(case, version, &tag).await
        } else {
            Verdict::NotServed { why: format!("{:?} v{version} is not advertised", case.api) }
        };
        self.push(Row {
            id: format!("{:?}/v{version}/{}", case.api, case.name),
            subject: format!("{:?}", case.api),
            class: manifest::priority(case.api),
            version: Some(version),
            name: case.name.to_owned(),
            expected: case.expect.words(),
            verdict,
            took_ms: millis(began.elapsed()),
        });
    }

    async fn ask(&mut self, case: &Case, version: i16, tag: &str) -> Verdict {
        let reference = self.reference.as_mut().filter(|side| side.serves(case.api as i16, version));
        let (reference, candidate) = match reference {
            Some(reference) => {
                let (reference, candidate) = tokio::join!(
                    answer(reference, case, version, tag),
                    answer(&mut self.candidate, case, version, tag)
                );
                (Some(reference), candidate)
            }
            None => (None, answer(&mut self.candidate, case, version, tag).await),
        };
        judge(&case_id(case), &format!("{:?}", case.api), case.expect, reference.as_ref(), &candidate)
    }

    fn push(&mut self, row: Row) {
        let seconds = self.began.elapsed().as_secs();
        // Progress that nobody reads is no failure.
        let _unread = writeln!(std::io::stderr(), "{seconds:5} s  {:10}  {}", row.verdict.word(), row.id);
        self.rows.push(row);
    }
}

async fn answer(endpoint: &mut Endpoint, case: &Case, version: i16, tag: &str) -> Answer {
    match tokio::time::timeout(ROW_WAIT, patient(endpoint, case, version, tag)).await {
        Ok(answer) => answer,
        Err(_) => Answer::None(format!("not done within {} s", ROW_WAIT.as_secs())),
    }
}

/// Asks until the answer is no longer "not yet".
async fn patient(endpoint: &mut Endpoint, case: &Case, version: i16, tag: &str) -> Answer {
    let scene = match Scene::set(endpoint, case.given, tag).await {
        Ok(scene) => scene,
        Err(error) => return Answer::None(format!("preparation: {error}")),
    };
    let ask = (case.build)(&scene, version);
    let at = place(case.api, &scene);
    let until = Instant::now() + PATIENCE;
    loop {
        match endpoint.ask(&at, ask.as_ref(), version).await {
            Ok(tree) => {
                let errors = tree.errors();
                if !is_transient(case.expect, &errors) || Instant::now() > until {
                    return Answer::Given(tree);
                }
            }
            Err(StepError::Wire(_, WireError::Closed)) => return Answer::Closed,
            Err(error) => return Answer::None(error.to_string()),
        }
        endpoint.forget(&at);
        tokio::time::sleep(PAUSE).await;
    }
}

fn is_transient(expect: Expect, errors: &[i16]) -> bool {
    let documented = |code: &i16| matches!(expect, Expect::Error(error) if error.code() == *code);
    !errors.is_empty() && errors.iter().all(|code| TRANSIENT.contains(code)) && !errors.iter().any(documented)
}

/// Who answers this API for this scene.
fn place(api: ApiKey, scene: &Scene) -> At {
    let _ = (api, scene);
    At::Any
}
