//! Rules, users and quotas: what administrators change, and what it does to everybody's requests.

use std::time::Duration;

use kernel_model::{Reply, Request};
use session::Event;
use translator_kafka::access::{Authorizer, Operation, PatternKind, Permission, ResourceKind, Rule};
use translator_kafka::codec::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use translator_kafka::codec::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use translator_kafka::codec::messages::create_acls_request::AclCreation;
use translator_kafka::codec::messages::create_topics_request::CreatableTopic;
use translator_kafka::codec::messages::delete_acls_request::DeleteAclsFilter;
use translator_kafka::codec::messages::delete_topics_request::DeleteTopicState;
use translator_kafka::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use translator_kafka::codec::messages::{
    AlterClientQuotasRequest, AlterUserScramCredentialsRequest, CreateAclsRequest, CreateTopicsRequest,
    DeleteAclsRequest, DeleteGroupsRequest, DeleteTopicsRequest, DescribeAclsRequest,
    DescribeClientQuotasRequest, DescribeUserScramCredentialsRequest, FetchRequest, ListGroupsRequest,
    MetadataRequest, ProduceRequest,
};
use translator_kafka::coordinator::access::{AccessMessage, AccessReply, Change};
use translator_kafka::errors::ErrorCode;
use translator_kafka::placement::{ACCESS, CATALOG_SHARD};

use crate::node::{Client, Node, batch, produce_request};

fn change(node: &mut Node, change: Change) {
    let message = AccessMessage { realm: String::new(), change }.to_bytes();
    let reply = node.kernel(CATALOG_SHARD, Request::Coordinate { kind: ACCESS, message }).unwrap();
    let Reply::Coordinated(body) = reply else { panic!("{reply:?}") };
    assert_eq!(AccessReply::from_bytes(&body), Some(AccessReply::Done));
}

/// Everybody is anonymous here: the rules are about that one, who is a super user first.
fn guarded(super_users: &[&str]) -> Change {
    let super_users = super_users.iter().map(|name| (*name).to_owned()).collect();
    Change::Configure(Some(Authorizer { super_users, allow_if_no_rule: false }))
}

const ME: &str = "User:ANONYMOUS";

fn rule(kind: ResourceKind, name: &str, operation: Operation) -> Rule {
    Rule {
        kind,
        name: name.to_owned(),
        pattern: PatternKind::Prefixed,
        principal: ME.to_owned(),
        host: "192.0.2.1".to_owned(),
        operation,
        permission: Permission::Allow,
    }
}

fn any() -> DescribeAclsRequest {
    DescribeAclsRequest {
        resource_type_filter: 1,
        resource_name_filter: None,
        pattern_type_filter: 1,
        principal_filter: None,
        host_filter: None,
        operation: 1,
        permission_type: 1,
        ..Default::default()
    }
}

fn topics(client: &mut Client, node: &mut Node) -> Vec<(String, i16)> {
    let answer = client.ask(node, 12, &MetadataRequest { topics: None, ..Default::default() });
    answer.topics.iter().map(|topic| (topic.name.as_deref().unwrap().to_owned(), topic.error_code)).collect()
}

#[test]
fn without_an_authorizer_rules_are_neither_told_nor_taken() {
    let mut node = Node::new(1);
    let mut client = node.client();
    assert_eq!(client.ask(&mut node, 3, &any()).error_code, ErrorCode::SecurityDisabled.code());
    let creation = AclCreation { resource_type: 2, resource_name: "t".into(), ..Default::default() };
    let request = CreateAclsRequest { creations: vec![creation], ..Default::default() };
    let answer = client.ask(&mut node, 3, &request);
    assert_eq!(answer.results[0].error_code, ErrorCode::SecurityDisabled.code());
}

#[test]
fn a_client_may_what_its_rules_say_and_nothing_else() {
    let mut node = Node::new(2);
    let mut client = node.client();
    client.create(&mut node, "open", 1, &[]);
    client.create(&mut node, "shut", 1, &[]);
    change(&mut node, guarded(&[]));
    assert!(topics(&mut client, &mut node).is_empty());
    let add = vec![rule(ResourceKind::Topic, "op", Operation::Write)];
    change(&mut node, Change::Rules { add, remove: vec![] });
    assert_eq!(topics(&mut client, &mut node), [("open".to_owned(), 0)]);
    let write = |client: &mut Client, node: &mut Node, topic: &str| {
        client.produce(node, topic, batch(&["x"]).bytes().clone()).error_code
    };
    assert_eq!(write(&mut client, &mut node, "open"), 0);
    let denied = ErrorCode::TopicAuthorizationFailed.code();
    assert_eq!(write(&mut client, &mut node, "shut"), denied);
    let groups = client.ask(&mut node, 4, &ListGroupsRequest::default());
    assert_eq!((groups.error_code, groups.groups.len()), (0, 0));
    assert_eq!(client.ask(&mut node, 3, &any()).error_code, ErrorCode::ClusterAuthorizationFailed.code());
}

#[test]
fn who_may_delete_in_the_cluster_may_delete_its_topics_and_is_told_what_is_missing() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    change(&mut node, guarded(&[]));
    let delete = |client: &mut Client, node: &mut Node, name: &str| {
        let state = DeleteTopicState { name: Some(name.into()), ..Default::default() };
        let request = DeleteTopicsRequest { topics: vec![state], timeout_ms: 1000, ..Default::default() };
        client.ask(node, 6, &request).responses[0].error_code
    };
    let denied = ErrorCode::TopicAuthorizationFailed.code();
    assert_eq!(
        (delete(&mut client, &mut node, "t"), delete(&mut client, &mut node, "absent")),
        (denied, denied)
    );
    let add = vec![rule(ResourceKind::Cluster, "kafka-cluster", Operation::Delete)];
    change(&mut node, Change::Rules { add, remove: vec![] });
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!((delete(&mut client, &mut node, "absent"), delete(&mut client, &mut node, "t")), (unknown, 0));
}

#[test]
fn what_is_taken_back_holds_from_the_next_request_on_also_in_a_fetch_session() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    let read = rule(ResourceKind::Topic, "t", Operation::Read);
    change(&mut node, guarded(&[]));
    change(&mut node, Change::Rules { add: vec![read.clone()], remove: vec![] });
    let partition =
        FetchPartition { partition_max_bytes: 1000, current_leader_epoch: -1, ..Default::default() };
    let topic = FetchTopic { topic: "t".into(), partitions: vec![partition], ..Default::default() };
    let first = FetchRequest {
        topics: vec![topic],
        max_bytes: 1000,
        replica_id: -1,
        session_epoch: 0,
        ..Default::default()
    };
    let opened = client.ask(&mut node, 11, &first);
    assert_eq!(opened.responses[0].partitions[0].error_code, 0);
    change(&mut node, Change::Rules { add: vec![], remove: vec![read] });
    let next = FetchRequest { session_id: opened.session_id, session_epoch: 1, topics: vec![], ..first };
    let answer = client.ask(&mut node, 11, &next);
    let code = answer.responses[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::TopicAuthorizationFailed.code());
}

#[test]
fn rules_are_created_described_and_deleted() {
    let mut node = Node::new(1);
    let mut client = node.client();
    change(&mut node, guarded(&[ME]));
    let creation = |kind: i8, name: &str, principal: &str| AclCreation {
        resource_type: kind,
        resource_name: name.into(),
        resource_pattern_type: 3,
        principal: principal.into(),
        host: "*".into(),
        operation: 3,
        permission_type: 3,
        ..Default::default()
    };
    let creations = vec![
        creation(2, "t", "User:ada"),
        creation(4, "other", "User:ada"),
        creation(2, "", "User:ada"),
        creation(2, "t", "ada"),
    ];
    let answer = client.ask(&mut node, 3, &CreateAclsRequest { creations, ..Default::default() });
    let codes: Vec<i16> = answer.results.iter().map(|result| result.error_code).collect();
    let invalid = ErrorCode::InvalidRequest.code();
    assert_eq!(codes, [0, invalid, invalid, invalid]);
    let told = client.ask(&mut node, 3, &any());
    assert_eq!((told.resources.len(), told.resources[0].acls.len()), (1, 1));
    let filter = DeleteAclsFilter {
        resource_type_filter: 2,
        resource_name_filter: Some("t".into()),
        pattern_type_filter: 2,
        principal_filter: None,
        host_filter: None,
        operation: 1,
        permission_type: 1,
        ..Default::default()
    };
    let answer = client.ask(&mut node, 3, &DeleteAclsRequest { filters: vec![filter], ..Default::default() });
    assert_eq!(answer.filter_results[0].matching_acls.len(), 1);
    assert!(client.ask(&mut node, 3, &any()).resources.is_empty());
}

#[test]
fn a_realm_that_follows_another_cluster_is_not_changed_by_clients() {
    let mut node = Node::new(1);
    let mut client = node.client();
    let follow = Change::Follow { authorizer: None, rules: None, quotas: None };
    change(&mut node, follow);
    let upsertion = upsertion("ada", 4096);
    let request = AlterUserScramCredentialsRequest { upsertions: vec![upsertion], ..Default::default() };
    let answer = client.ask(&mut node, 0, &request);
    assert_eq!(answer.results[0].error_code, ErrorCode::NotController.code());
    change(&mut node, Change::Adopt);
    assert_eq!(client.ask(&mut node, 0, &request).results[0].error_code, 0);
}

fn upsertion(name: &str, iterations: i32) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion {
        name: name.into(),
        mechanism: 1,
        iterations,
        salt: "salt".into(),
        salted_password: "salted".into(),
        ..Default::default()
    }
}

#[test]
fn users_are_kept_described_and_deleted() {
    let mut node = Node::new(1);
    let mut client = node.client();
    let upsertions =
        vec![upsertion("ada", 4096), upsertion("few", 100), upsertion("many", 20_000), upsertion("", 4096)];
    let deletion = ScramCredentialDeletion { name: "none".into(), mechanism: 1, ..Default::default() };
    let request =
        AlterUserScramCredentialsRequest { upsertions, deletions: vec![deletion], ..Default::default() };
    let answer = client.ask(&mut node, 0, &request);
    let codes: Vec<(String, i16)> =
        answer.results.iter().map(|result| (result.user.to_string(), result.error_code)).collect();
    let bad = ErrorCode::UnacceptableCredential.code();
    let expected =
        [("", bad), ("ada", 0), ("few", bad), ("many", bad), ("none", ErrorCode::ResourceNotFound.code())];
    assert_eq!(codes, expected.map(|(user, code)| (user.to_owned(), code)));
    let all = DescribeUserScramCredentialsRequest { users: None, ..Default::default() };
    let told = client.ask(&mut node, 0, &all);
    assert_eq!((told.results.len(), told.results[0].credential_infos[0].iterations), (1, 4096));
    let deletion = ScramCredentialDeletion { name: "ada".into(), mechanism: 1, ..Default::default() };
    let request = AlterUserScramCredentialsRequest { deletions: vec![deletion], ..Default::default() };
    assert_eq!(client.ask(&mut node, 0, &request).results[0].error_code, 0);
    assert!(client.ask(&mut node, 0, &all).results.is_empty());
}

#[test]
fn quotas_are_set_described_and_removed() {
    let mut node = Node::new(1);
    let mut client = node.client();
    let entry = |kind: &str, key: &str, remove: bool| EntryData {
        entity: vec![EntityData {
            entity_type: kind.into(),
            entity_name: Some("ada".into()),
            ..Default::default()
        }],
        ops: vec![OpData { key: key.into(), value: 1000.0, remove, ..Default::default() }],
        ..Default::default()
    };
    let entries = vec![
        entry("user", "producer_byte_rate", false),
        entry("user", "nonsense", false),
        entry("what", "producer_byte_rate", false),
    ];
    let answer = client.ask(&mut node, 1, &AlterClientQuotasRequest { entries, ..Default::default() });
    let codes: Vec<i16> = answer.entries.iter().map(|entry| entry.error_code).collect();
    let invalid = ErrorCode::InvalidRequest.code();
    assert_eq!(codes, [0, invalid, invalid]);
    let all = DescribeClientQuotasRequest::default();
    let told = client.ask(&mut node, 1, &all).entries.unwrap();
    assert_eq!((told.len(), told[0].values[0].value), (1, 1000.0));
    let entries = vec![entry("user", "producer_byte_rate", true)];
    client.ask(&mut node, 1, &AlterClientQuotasRequest { entries, ..Default::default() });
    assert!(client.ask(&mut node, 1, &all).entries.unwrap().is_empty());
}

/// A quota of everybody of this client id.
fn quota(key: &str, rate: f64) -> Change {
    let entity = [("client-id".to_owned(), Some("test".to_owned()))].into();
    Change::Quotas(vec![(entity, key.to_owned(), Some(rate))])
}

#[test]
fn a_producer_above_its_quota_is_answered_at_once_told_to_wait_and_not_read_meanwhile() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    let write = |node: &mut Node, client: &mut Client| {
        let batch = batch(&["x"; 50]);
        let request = produce_request(node, 9, -1, "t", 0, batch.bytes().clone());
        client.write(9, &request);
        node.turn(&mut [client]);
        client.read::<ProduceRequest>(9).map(|(_, answer)| answer)
    };
    let free = write(&mut node, &mut client).unwrap();
    assert_eq!(free.throttle_time_ms, 0, "nobody has a quota");
    change(&mut node, quota("producer_byte_rate", 10.0));
    let held = write(&mut node, &mut client).unwrap();
    assert_eq!(held.responses[0].partition_responses[0].error_code, 0);
    let wait = u64::try_from(held.throttle_time_ms).unwrap();
    assert!(wait > 10_000, "{wait}");
    assert!(write(&mut node, &mut client).is_none(), "what it sends before is left where it is");
    node.pass(Duration::from_millis(wait - 1), &mut [&mut client]);
    assert!(client.read::<ProduceRequest>(9).is_none());
    node.pass(Duration::from_millis(2), &mut [&mut client]);
    let (_, next) = client.read::<ProduceRequest>(9).expect("read again");
    assert_eq!(next.responses[0].partition_responses[0].base_offset, 100);
    let told = |event: &Event| matches!(event, Event::Throttled { quota: "producer_byte_rate", .. });
    assert_eq!(client.events.iter().filter(|event| told(event)).count(), 2);
    assert_eq!(client.ended, None, "a silence that was ordered is not an idle one");
}

#[test]
fn a_consumer_above_its_quota_gets_nothing_now_and_everything_later() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    for _ in 0..4 {
        client.produce(&mut node, "t", batch(&["x"; 50]).bytes().clone());
    }
    // A batch is some 400 bytes: the window holds one, and no second one at once.
    change(&mut node, quota("consumer_byte_rate", 60.0));
    let mut fetch = fetch_request("t", 0);
    let (mut offset, mut waits) = (0, 0);
    for _ in 0..20 {
        fetch.topics[0].partitions[0].fetch_offset = offset;
        let answer = client.ask(&mut node, 11, &fetch);
        if answer.throttle_time_ms > 0 {
            assert!(answer.responses.is_empty(), "nothing is sent to whom is over its quota");
            waits += 1;
            let wait = u64::try_from(answer.throttle_time_ms).unwrap();
            node.pass(Duration::from_millis(wait + 1), &mut [&mut client]);
            continue;
        }
        if let Some(records) =
            answer.responses[0].partitions[0].records.as_ref().filter(|all| !all.is_empty())
        {
            offset += 50 * i64::try_from(records.len() / batch(&["x"; 50]).bytes().len()).unwrap();
        }
        if offset == 200 {
            break;
        }
    }
    assert_eq!(offset, 200, "everything came in the end");
    assert!(waits >= 2, "{waits}");
}

#[test]
fn a_batch_that_alone_is_above_the_quota_comes_all_the_same_and_the_wait_with_it() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    client.produce(&mut node, "t", batch(&["x"; 50]).bytes().clone());
    change(&mut node, quota("consumer_byte_rate", 1.0));
    let answer = client.ask(&mut node, 11, &fetch_request("t", 0));
    assert!(answer.throttle_time_ms > 60_000, "{}", answer.throttle_time_ms);
    let records = answer.responses[0].partitions[0].records.as_ref().unwrap();
    // The log gives the batch its leader epoch (bytes 12 to 15).
    let sent = batch(&["x"; 50]);
    assert_eq!((records.len(), &records[16..]), (sent.bytes().len(), &sent.bytes()[16..]));
}

#[test]
fn everybody_who_shares_a_quota_waits_and_nobody_else() {
    let mut node = Node::new(1);
    let (mut first, mut second) = (node.client(), node.client());
    first.create(&mut node, "t", 1, &[]);
    change(&mut node, quota("producer_byte_rate", 1000.0));
    let big = batch(&["0123456789"; 1500]);
    let request = produce_request(&node, 9, -1, "t", 0, big.bytes().clone());
    assert!(first.ask(&mut node, 9, &request).throttle_time_ms > 0);
    assert!(
        second.ask(&mut node, 9, &request).throttle_time_ms > 0,
        "the same client id, another connection"
    );
    // A quota of the user comes before that of the client id (Kafka's order): it is large.
    let entity = [("user".to_owned(), Some("ANONYMOUS".to_owned()))].into();
    let larger = vec![(entity, "producer_byte_rate".to_owned(), Some(1e9))];
    change(&mut node, Change::Quotas(larger));
    let mut third = node.client();
    assert_eq!(third.ask(&mut node, 9, &request).throttle_time_ms, 0);
}

fn fetch_request(topic: &str, offset: i64) -> FetchRequest {
    let partition = FetchPartition {
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        current_leader_epoch: -1,
        ..Default::default()
    };
    let topic = FetchTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() };
    FetchRequest {
        topics: vec![topic],
        max_bytes: 1 << 20,
        replica_id: -1,
        session_epoch: -1,
        ..Default::default()
    }
}

fn acts(client: &Client) -> Vec<(String, String, bool)> {
    let act = |event: &Event| match event {
        Event::Administered(act) => Some((act.what.clone(), act.outcome.clone(), act.done)),
        _ => None,
    };
    client.events.iter().filter_map(act).collect()
}

#[test]
fn every_administrative_request_is_told_with_its_outcome_and_without_secrets() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 2, &[("retention.ms", "4711")]);
    client.metadata(&mut node, 12, &["t"], false);
    client.produce(&mut node, "t", batch(&["x"]).bytes().clone());
    let upsertion = ScramCredentialUpsertion {
        name: "ada".into(),
        mechanism: 1,
        iterations: 4096,
        salt: b"planted-salt"[..].into(),
        salted_password: b"planted-password-of-32-bytes...."[..].into(),
        ..Default::default()
    };
    let users = AlterUserScramCredentialsRequest { upsertions: vec![upsertion], ..Default::default() };
    client.ask(&mut node, 0, &users);
    change(&mut node, guarded(&[]));
    let deletion = DeleteTopicState { name: Some("t".into()), ..Default::default() };
    let gone = DeleteTopicsRequest { topics: vec![deletion], timeout_ms: 1000, ..Default::default() };
    client.ask(&mut node, 6, &gone);
    node.hung = true;
    change_is_asked(&mut client, &mut node);
    client.session.handle_end();
    node.hung = false;
    node.turn(&mut [&mut client]);
    let told = acts(&client);
    let expected = [
        ("CreateTopics t (2 partitions)", "ok", true),
        ("AlterUserScramCredentials set ada (SCRAM-SHA-256)", "ok", true),
        ("DeleteTopics t", "TopicAuthorizationFailed", false),
        ("DeleteGroups g", "GroupAuthorizationFailed", false),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(what, outcome, done)| ((*what).to_owned(), (*outcome).to_owned(), *done))
        .collect();
    assert_eq!(told, expected);
    assert!(!format!("{:?}", client.events).contains("planted"));
    let Some(Event::Administered(first)) =
        client.events.iter().find(|event| matches!(event, Event::Administered(_)))
    else {
        panic!("there is one")
    };
    assert_eq!((first.who.as_deref(), first.from.as_str()), (Some(ME), "192.0.2.1"));
}

/// Refused before any shard is asked.
fn change_is_asked(client: &mut Client, node: &mut Node) {
    let request = DeleteGroupsRequest { groups_names: vec!["g".into()], ..Default::default() };
    client.write(2, &request);
    node.turn(&mut [client]);
}

#[test]
fn an_order_whose_client_goes_before_its_answer_is_told_too() {
    let mut node = Node::new(1);
    let mut client = node.client();
    node.hung = true;
    client.write(
        7,
        &CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: "t".into(),
                num_partitions: 1,
                replication_factor: 1,
                ..Default::default()
            }],
            ..Default::default()
        },
    );
    node.turn(&mut [&mut client]);
    assert!(acts(&client).is_empty());
    client.session.handle_end();
    node.turn(&mut [&mut client]);
    let expected = ("CreateTopics t (1 partitions)", "unanswered: the connection ended first", true);
    let told = acts(&client);
    assert_eq!(told, [(expected.0.to_owned(), expected.1.to_owned(), expected.2)]);
}
