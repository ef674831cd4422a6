use std::collections::{BTreeMap, BTreeSet};

use super::super::case::Expect;
use super::super::manifest::APIS;
use super::super::scene::Scene;
use super::*;

/// APIs of which one kind of answer cannot be provoked, with the reason.
const ONE_SIDED: &[(&str, &str)] = &[
    (
        "ListGroups",
        "has no documented refusal but those of authorisation and of a coordinator that is loading",
    ),
    ("SaslHandshake", "the suite's listener has no SASL"),
    ("SaslAuthenticate", "the suite's listener has no SASL"),
    ("CreateAcls", "depends on whether the endpoint has an authorizer"),
    ("DeleteAcls", "depends on whether the endpoint has an authorizer"),
    ("DescribeAcls", "depends on whether the endpoint has an authorizer"),
    ("OffsetFetch", "its refusals differ by version, and are compared"),
    ("DescribeGroups", "an unknown group is no error before version 6"),
];

#[test]
fn every_api_of_the_manifest_has_a_success_and_an_error() {
    for api in APIS {
        let name = format!("{:?}", api.key);
        let own: Vec<Case> = all().into_iter().filter(|case| case.api == api.key).collect();
        assert!(!own.is_empty(), "{name} has no case");
        if ONE_SIDED.iter().any(|(excused, _)| *excused == name) {
            continue;
        }
        assert!(own.iter().any(|case| case.expect == Expect::Success), "{name} has no success");
        assert!(own.iter().any(|case| matches!(case.expect, Expect::Error(_))), "{name} has no error");
    }
}

#[test]
fn every_case_can_be_encoded_in_each_of_its_versions() {
    for case in all() {
        for version in case.versions.0..=case.versions.1 {
            let ask = (case.build)(&Scene::named("t", 1), version);
            assert_eq!(ask.key(), case.api as i16, "{:?} {}", case.api, case.name);
            let frame = ask.frame(version, 1);
            assert!(frame.is_ok(), "{:?} v{version} {}: {frame:?}", case.api, case.name);
        }
    }
}

#[test]
fn no_two_cases_of_an_api_and_version_have_the_same_name() {
    let mut seen: BTreeMap<String, BTreeSet<i16>> = BTreeMap::new();
    for case in all() {
        let versions = seen.entry(format!("{:?}/{}", case.api, case.name)).or_default();
        for version in case.versions.0..=case.versions.1 {
            assert!(versions.insert(version), "{:?} v{version} {}", case.api, case.name);
        }
    }
}
