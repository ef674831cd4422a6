#![allow(clippy::unwrap_used, reason = "a test may end here")]
//! Whole runs against endpoints of a few lines: the suite has to tell right from wrong, and say so to its caller.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsResponse, ResponseHeader};
use kafka_protocol::protocol::{Encodable, HeaderVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What an endpoint of the tests does with ApiVersions, which is all that it knows.
#[derive(Debug, Clone, Copy)]
struct Habit {
    /// Error code from version 1 on.
    error: i16,
    /// Closes the connection instead of an answer from version 1 on.
    closes: bool,
    /// Newest version that it advertises.
    newest: i16,
}

const GOOD: Habit = Habit { error: 0, closes: false, newest: 2 };

async fn endpoint(habit: Habit) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, habit));
        }
    });
    address
}

/// Answers until the client goes, or the habit says to close.
async fn serve(mut stream: TcpStream, habit: Habit) -> Option<()> {
    loop {
        let length = stream.read_i32().await.ok()?;
        let mut frame = vec![0; usize::try_from(length).ok()?];
        stream.read_exact(&mut frame).await.ok()?;
        let mut head = Bytes::from(frame);
        assert_eq!(head.get_i16(), 18, "ApiVersions is all that it advertises");
        let version = head.get_i16();
        if habit.closes && version > 0 {
            return None;
        }
        let answer = answer(habit, version, head.get_i32());
        stream.write_all(&answer).await.ok()?;
    }
}

fn answer(habit: Habit, version: i16, correlation: i32) -> Bytes {
    let key = ApiVersion::default().with_api_key(18).with_min_version(0).with_max_version(habit.newest);
    let answer = ApiVersionsResponse::default()
        .with_error_code(if version > 0 { habit.error } else { 0 })
        .with_api_keys(vec![key]);
    let mut body = BytesMut::new();
    let header = ResponseHeader::default().with_correlation_id(correlation);
    header.encode(&mut body, ApiVersionsResponse::header_version(version)).unwrap();
    answer.encode(&mut body, version).unwrap();
    let mut frame = BytesMut::new();
    frame.put_i32(i32::try_from(body.len()).unwrap());
    frame.extend_from_slice(&body);
    frame.freeze()
}

async fn compared(reference: Option<Habit>, candidate: Habit) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let reference = match reference {
        Some(habit) => Some(endpoint(habit).await),
        None => None,
    };
    let options = Options {
        reference,
        candidate: endpoint(candidate).await,
        only: vec!["ApiVersions/versions are told".to_owned()],
        report: folder.path().to_owned(),
    };
    let report = run(&options).await.unwrap();
    for file in ["report.html", "junit.xml", "report.json"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
    report
}

fn words(report: &Report) -> Vec<&'static str> {
    report.rows.iter().map(|row| row.verdict.word()).collect()
}

#[tokio::test]
async fn the_same_answers_hold() {
    let report = compared(Some(GOOD), GOOD).await;
    assert_eq!(words(&report), ["same", "same", "same"]);
    assert!(report.holds());
}

#[tokio::test]
async fn another_error_code_is_a_difference_and_does_not_hold() {
    let report = compared(Some(GOOD), Habit { error: 35, ..GOOD }).await;
    assert_eq!(words(&report), ["same", "different", "different"]);
    assert!(!report.holds());
    let alone = compared(None, Habit { error: 35, ..GOOD }).await;
    assert_eq!(words(&alone), ["held", "different", "different"]);
    assert!(!alone.holds());
}

#[tokio::test]
async fn a_closed_connection_is_a_difference() {
    let report = compared(Some(GOOD), Habit { closes: true, ..GOOD }).await;
    assert_eq!(words(&report), ["same", "different", "different"]);
    assert!(!report.holds());
}

#[tokio::test]
async fn a_version_that_is_not_advertised_is_not_served_and_never_passed() {
    let report = compared(Some(GOOD), Habit { newest: 0, ..GOOD }).await;
    assert_eq!(words(&report), ["same", "not served", "not served"]);
    assert!(report.holds());
}

#[tokio::test]
async fn a_reference_that_does_not_do_what_is_documented_proves_nothing() {
    let wrong = Habit { error: 35, ..GOOD };
    let report = compared(Some(wrong), wrong).await;
    assert_eq!(words(&report), ["same", "failed", "failed"]);
    assert!(!report.holds());
}

#[tokio::test]
async fn nobody_to_ask_and_nothing_to_ask_are_told_apart() {
    let options = |only: &str, candidate: &str| Options {
        reference: None,
        candidate: candidate.to_owned(),
        only: vec![only.to_owned()],
        report: PathBuf::from("never-made"),
    };
    let nothing = run(&options("no such case", "127.0.0.1:1")).await.unwrap_err();
    assert!(nothing.wrong_usage(), "{nothing}");
    let nobody = run(&options("ApiVersions", "127.0.0.1:1")).await.unwrap_err();
    assert!(matches!(nobody, RunError::Unreachable { .. }) && !nobody.wrong_usage(), "{nobody}");
}
