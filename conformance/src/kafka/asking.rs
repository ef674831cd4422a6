//! One case at one endpoint: what it needs is made, then it is asked until the answer is no longer "not yet".

use std::time::Duration;

use kafka_protocol::messages::ApiKey;
use tokio::time::Instant;

use super::case::{Case, Expect};
use super::endpoint::{At, Endpoint, PATIENCE, PAUSE, StepError};
use super::judge::Answer;
use super::normal;
use super::scene::Scene;
use super::wire::WireError;

/// Longest time for one row, on each side.
pub(super) const ROW_WAIT: Duration = Duration::from_secs(90);
/// Answers that stand for "not yet": asked again while nothing else is in the answer, unless documented.
const TRANSIENT: [i16; 6] = [5, 6, 14, 15, 16, 51];

/// Asks in a bounded time. `tag` begins every name; records are from `time_ms` on.
pub(super) async fn answer(
    endpoint: &mut Endpoint,
    case: &Case,
    version: i16,
    tag: &str,
    time_ms: i64,
) -> Answer {
    match tokio::time::timeout(ROW_WAIT, patient(endpoint, case, version, tag, time_ms)).await {
        Ok(answer) => answer,
        Err(_) => Answer::None(format!("not done within {} s", ROW_WAIT.as_secs())),
    }
}

/// Asks until the answer is no longer "not yet".
async fn patient(endpoint: &mut Endpoint, case: &Case, version: i16, tag: &str, time_ms: i64) -> Answer {
    let scene = match Scene::set(endpoint, case.given, tag, time_ms).await {
        Ok(scene) => scene,
        Err(StepError::NotServed(what)) => return Answer::NotServed(what),
        Err(StepError::Refused(step, error)) => return Answer::Unprepared(format!("{step}: {error}")),
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
                    return Answer::Given(normal::own(case.api, tree, &scene.tag));
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

/// APIs that the leader of a partition answers.
const OF_LEADERS: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::DeleteRecords,
    ApiKey::OffsetForLeaderEpoch,
];

/// APIs that the coordinator of a group answers.
const OF_GROUPS: &[ApiKey] = &[
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::DescribeGroups,
    ApiKey::DeleteGroups,
    ApiKey::TxnOffsetCommit,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::ConsumerGroupDescribe,
];

/// APIs that the coordinator of a transactional id answers.
const OF_TRANSACTIONS: &[ApiKey] =
    &[ApiKey::InitProducerId, ApiKey::AddPartitionsToTxn, ApiKey::AddOffsetsToTxn, ApiKey::EndTxn];

/// Who answers this API for this scene.
fn place(api: ApiKey, scene: &Scene) -> At {
    if OF_LEADERS.contains(&api) {
        scene.leader()
    } else if OF_GROUPS.contains(&api) {
        At::Group(scene.group.clone())
    } else if OF_TRANSACTIONS.contains(&api) {
        At::Transaction(scene.transaction.clone())
    } else {
        At::Any
    }
}
