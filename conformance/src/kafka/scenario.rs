//! A statement about behaviour that takes several steps. What comes of it are facts: each has a name, what was seen, and
//! what the statement says. On two endpoints what was seen is compared; on one, the statement judges.

use std::fmt::Display;
use std::pin::Pin;

use kafka_protocol::messages::ApiKey;

use super::endpoint::{Endpoint, StepError};
use super::scene::{Given, Scene};

/// Something that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    /// What it is about; unique in a scenario.
    pub(super) name: String,
    /// What was seen.
    pub(super) got: String,
    /// What the statement says; the same as `got` where it says nothing and only the reference judges.
    pub(super) want: String,
}

impl Fact {
    /// Whether the statement holds.
    pub(super) fn holds(&self) -> bool {
        self.got == self.want
    }
}

/// What a scenario works with.
pub(super) struct Play<'a> {
    /// The endpoint.
    pub(super) at: &'a mut Endpoint,
    /// Names, and what `given` made.
    pub(super) scene: Scene,
    facts: Vec<Fact>,
}

impl Play<'_> {
    /// Something was seen of which the statement says what it is.
    pub(super) fn check(&mut self, name: &str, got: impl Display, want: impl Display) {
        let (got, want) = (got.to_string(), want.to_string());
        self.facts.push(Fact { name: name.to_owned(), got, want });
    }

    /// Something was seen that only the reference judges.
    pub(super) fn note(&mut self, name: &str, got: impl Display) {
        let got = got.to_string();
        self.check(name, &got, &got);
    }
}

/// What a scenario does.
type Steps =
    for<'a, 'b> fn(&'a mut Play<'b>) -> Pin<Box<dyn Future<Output = Result<(), StepError>> + Send + 'a>>;

/// A row of the table of scenarios.
#[derive(Clone, Copy)]
pub(super) struct Scenario {
    /// `KS1` to `KS22`.
    pub(super) statement: &'static str,
    /// What holds, in words.
    pub(super) name: &'static str,
    /// What has to be advertised.
    pub(super) needs: &'static [ApiKey],
    /// What has to be there before.
    pub(super) given: Given,
    /// The steps.
    pub(super) steps: Steps,
}

/// A row of the table.
pub(super) const fn scenario(
    statement: &'static str,
    name: &'static str,
    needs: &'static [ApiKey],
    given: Given,
    steps: Steps,
) -> Scenario {
    Scenario { statement, name, needs, given, steps }
}

/// Plays a scenario at an endpoint.
pub(super) async fn play(
    endpoint: &mut Endpoint,
    scenario: &Scenario,
    tag: &str,
    time_ms: i64,
) -> Result<Vec<Fact>, StepError> {
    endpoint.needs(scenario.needs)?;
    let scene = Scene::set(endpoint, scenario.given, tag, time_ms).await?;
    let mut play = Play { at: endpoint, scene, facts: Vec::new() };
    (scenario.steps)(&mut play).await?;
    Ok(play.facts)
}

/// What stands for a scenario that did not end in time.
pub(super) fn slow() -> StepError {
    StepError::Refused("scenario".to_owned(), "not done in time".to_owned())
}
