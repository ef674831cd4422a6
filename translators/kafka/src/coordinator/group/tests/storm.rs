//! Members that do anything at any time, over a store that stalls, fails and forgets: every message is
//! answered once, generations only grow, and what was acknowledged is there.

use std::time::Duration;

use kernel_model::KernelError;
use proptest::prelude::*;

use super::GROUP;
use super::host::{Host, Member};
use crate::codec::messages::{JoinGroupResponse, SyncGroupResponse};
use crate::coordinator::group::GroupSnapshot;
use crate::errors::ErrorCode;

#[derive(Debug, Clone)]
enum Step {
    Join(usize),
    Sync(usize),
    Heartbeat(usize),
    Commit(usize),
    Leave(usize),
    /// A static member's process starts anew.
    Forget(usize),
    Wait(u64),
    Hold,
    Release,
    Fail(bool),
    Restart,
}

const MEMBERS: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let who = 0..MEMBERS;
    prop_oneof![
        8 => who.clone().prop_map(Step::Join),
        6 => who.clone().prop_map(Step::Sync),
        4 => who.clone().prop_map(Step::Heartbeat),
        4 => who.clone().prop_map(Step::Commit),
        1 => who.clone().prop_map(Step::Leave),
        1 => who.prop_map(Step::Forget),
        6 => (0..7_000_u64).prop_map(Step::Wait),
        2 => Just(Step::Hold),
        3 => Just(Step::Release),
        1 => any::<bool>().prop_map(Step::Fail),
        1 => Just(Step::Restart),
    ]
}

/// What a message asked, to know how to read its answer.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Join(usize),
    Sync,
    Commit(i64),
    Leave,
}

struct Storm {
    host: Host,
    members: Vec<Member>,
    waiting: Vec<(u64, Asked)>,
    commits: i64,
    acknowledged: i64,
}

impl Storm {
    fn new() -> Self {
        let members = (0..MEMBERS).map(|n| match n {
            0 | 1 => Member::new(&format!("c{n}")),
            _ => Member::fixed(&format!("s{n}")),
        });
        let (host, members) = (Host::new(), members.collect());
        Self { host, members, waiting: Vec::new(), commits: 0, acknowledged: -1 }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Join(n) => {
                let message = self.members[n].send_join(&mut self.host);
                self.waiting.push((message, Asked::Join(n)));
            }
            Step::Sync(n) => {
                let message = self.members[n].send_sync(&mut self.host, &[]);
                self.waiting.push((message, Asked::Sync));
            }
            Step::Heartbeat(n) => {
                let _any = self.members[n].heartbeat(&mut self.host);
            }
            Step::Commit(n) => {
                self.commits += 1;
                let (generation, id) = (self.members[n].generation, self.members[n].id.clone());
                let message = self.host.send_commit(generation, &id, 0, self.commits);
                self.waiting.push((message, Asked::Commit(self.commits)));
            }
            Step::Leave(n) => {
                let message = self.members[n].send_leave(&mut self.host);
                self.waiting.push((message, Asked::Leave));
            }
            Step::Forget(n) => self.members[n].id.clear(),
            Step::Wait(ms) => self.host.advance(Duration::from_millis(ms)),
            Step::Hold => self.host.is_held = true,
            Step::Release => self.host.release(),
            Step::Fail(fails) => self.host.refusal = fails.then_some(KernelError::Full),
            Step::Restart => {
                self.collect();
                self.host.restart();
                self.waiting.clear();
            }
        }
        self.collect();
    }

    /// Takes what has been answered.
    fn collect(&mut self) {
        let (done, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(id, _)| self.host.is_answered(*id));
        self.waiting = waiting;
        for (message, asked) in done {
            match asked {
                Asked::Join(n) => self.joined(n, message),
                Asked::Sync => drop(self.host.take::<SyncGroupResponse>(message, 5)),
                Asked::Commit(value) => {
                    if self.host.committed(message) == ErrorCode::None {
                        self.acknowledged = self.acknowledged.max(value);
                    }
                }
                Asked::Leave => drop(self.host.take_bytes(message)),
            }
        }
    }

    fn joined(&mut self, n: usize, message: u64) {
        let response: JoinGroupResponse = self.host.take(message, 9);
        match super::host::code(response.error_code) {
            ErrorCode::None => {
                let member = &mut self.members[n];
                member.id = response.member_id.to_string();
                member.generation = response.generation_id;
                member.leader = response.leader.to_string();
            }
            ErrorCode::MemberIdRequired => self.members[n].id = response.member_id.to_string(),
            _ => self.members[n].id.clear(),
        }
    }

    /// Lets everything end.
    fn calm(&mut self) {
        self.take(Step::Fail(false));
        self.take(Step::Release);
        self.host.advance(Duration::from_secs(20 * 60));
        self.collect();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_message_is_answered_and_what_was_acknowledged_is_there(
        steps in proptest::collection::vec(step(), 1..120)
    ) {
        let mut storm = Storm::new();
        let mut generation = 0;
        let mut failed = false;
        for step in steps {
            failed |= matches!(step, Step::Fail(true));
            let restarts = matches!(step, Step::Restart);
            storm.take(step);
            let now = storm.host.export(GROUP).map_or(0, |(group, _)| group.generation);
            // A generation that was not stored is given again after a restart, and a group that
            // never had one is gone.
            prop_assert!(now >= generation || restarts || now == 0, "generation {} after {}", now, generation);
            generation = now;
        }
        storm.calm();
        prop_assert!(storm.waiting.is_empty(), "unanswered: {:?}", storm.waiting);
        let found = storm.host.offset(0);
        prop_assert!(found >= storm.acknowledged, "{} of {}", found, storm.acknowledged);
        let before = storm.host.export(GROUP);
        storm.host.restart();
        let after = storm.host.export(GROUP);
        let offsets = |group: &Option<(GroupSnapshot, bool)>| group.clone().map(|(one, _)| one.offsets);
        prop_assert_eq!(offsets(&after), offsets(&before));
        // An empty generation that could not be stored is not told again: sessions run out instead.
        prop_assert!(failed || after == before, "keys say {:?}, memory said {:?}", after, before);
    }
}
