//! `reviewed.tsv` lists the newest version of each API that was looked at: what changed in it, and
//! what sessions, coordinators and the proxy must do about it. New descriptors fail here
//! until that has happened.

use crate::codec::{APIS, ApiKey};

const REVIEWED: &str = include_str!("../reviewed.tsv");

#[test]
fn the_newest_version_of_every_api_was_looked_at() {
    let mut lines = REVIEWED.lines();
    assert_eq!(lines.next(), Some("api_key\tname\tversion_max"));
    let reviewed: Vec<_> = lines.map(|line| line.split('\t').collect::<Vec<_>>()).collect();
    let known: Vec<_> = APIS
        .iter()
        .map(|api| vec![api.key.code().to_string(), api.name.to_owned(), api.version_max.to_string()])
        .collect();
    for api in &known {
        assert!(reviewed.iter().any(|seen| seen == api), "not in reviewed.tsv: {}", api.join(" "));
    }
    assert_eq!(reviewed.len(), known.len(), "reviewed.tsv lists an API that no descriptor has");
}

#[test]
fn the_table_of_apis_is_consistent() {
    for api in &APIS {
        assert_eq!(ApiKey::from_code(api.key.code()), Some(api.key));
        assert_eq!(api.key.spec(), api);
        assert!(api.versions().contains(&api.version_stable_max));
        assert!(api.flexible_from.is_none_or(|from| api.versions().contains(&from)), "{}", api.name);
    }
    for code in [-1, 4, 5, 6, 7, 9_999, i16::MIN, i16::MAX] {
        assert_eq!(ApiKey::from_code(code), None);
    }
}

#[test]
fn only_a_version_still_being_worked_on_may_not_be_advertised() {
    let unstable: Vec<_> = APIS.iter().filter(|api| api.version_stable_max < api.version_max).collect();
    assert_eq!(unstable.iter().map(|api| api.name).collect::<Vec<_>>(), ["InitProducerId"]);
    assert_eq!(ApiKey::InitProducerId.spec().version_stable_max, 5);
}
