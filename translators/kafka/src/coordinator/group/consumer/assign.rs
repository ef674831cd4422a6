//! How partitions are shared out among members: Kafka's assignors `uniform` and `range`.

use std::collections::{BTreeMap, BTreeSet};

use super::records::flat;
use super::{Consumer, Partitions};
use crate::codec::{Str, Uuid};

/// Names of the assignors; the first is used where no member prefers one.
pub const ASSIGNORS: [&str; 2] = [UNIFORM, RANGE];
const UNIFORM: &str = "uniform";
const RANGE: &str = "range";
/// How often the shares of members with different subscriptions are gone through to even them out.
const ROUNDS_MAX: usize = 16;

/// A member, as an assignor sees it.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) instance_id: Option<Str>,
    pub(super) topics: BTreeSet<Uuid>,
    /// What it was to have before.
    pub(super) before: Partitions,
}

pub(super) type Subscribers = BTreeMap<Str, Subscriber>;
pub(super) type Shares = BTreeMap<Str, Partitions>;
/// How many partitions a topic has.
pub(super) type Sizes = BTreeMap<Uuid, i32>;

impl Consumer {
    /// The assignor that most members prefer; of equals the first by name.
    pub(super) fn assignor(&self) -> &'static str {
        let votes = |name: &str| {
            let preferred = self.members.values().filter_map(|member| member.about.assignor.as_deref());
            preferred.filter(|preferred| *preferred == name).count()
        };
        if votes(RANGE) > votes(UNIFORM) { RANGE } else { UNIFORM }
    }
}

pub(super) fn assign(assignor: &str, members: &Subscribers, sizes: &Sizes) -> Shares {
    if assignor == RANGE {
        return range(members, sizes);
    }
    let mut all = members.values().map(|member| &member.topics);
    let first = all.next();
    if first.is_some_and(|first| all.all(|topics| topics == first)) {
        uniform(members, sizes)
    } else {
        mixed(members, sizes)
    }
}

fn every(topics: &BTreeSet<Uuid>, sizes: &Sizes) -> impl Iterator<Item = (Uuid, i32)> {
    let sized = topics.iter().filter_map(|topic| Some((*topic, *sizes.get(topic)?)));
    sized
        .flat_map(|(topic, size)| (0..size).map(move |number| (topic, number)))
        .collect::<Vec<_>>()
        .into_iter()
}

/// What a member had before and may keep.
fn kept(member: &Subscriber, sizes: &Sizes) -> Vec<(Uuid, i32)> {
    let valid = |(topic, number): &(Uuid, i32)| {
        member.topics.contains(topic) && sizes.get(topic).is_some_and(|size| (0..*size).contains(number))
    };
    flat(&member.before).filter(valid).collect()
}

/// All have the same subscription: shares differ by one at most, and what can stay stays.
fn uniform(members: &Subscribers, sizes: &Sizes) -> Shares {
    let none = BTreeSet::new();
    let topics = members.values().next().map_or(&none, |member| &member.topics);
    let mut left: BTreeSet<(Uuid, i32)> = every(topics, sizes).collect();
    let quota = left.len() / members.len().max(1);
    let mut larger = left.len() % members.len().max(1);
    let mut shares: BTreeMap<&Str, Vec<(Uuid, i32)>> = BTreeMap::new();
    for (id, member) in members {
        // A partition of two members' targets (which only a damaged record could say) goes to the first.
        let mut keeps: Vec<_> = kept(member, sizes).into_iter().filter(|at| left.contains(at)).collect();
        let room = if keeps.len() > quota && larger > 0 {
            larger -= 1;
            quota + 1
        } else {
            quota
        };
        keeps.truncate(room);
        for at in &keeps {
            left.remove(at);
        }
        shares.insert(id, keeps);
    }
    let mut left = left.into_iter();
    for share in shares.values_mut() {
        while share.len() < quota
            && let Some(at) = left.next()
        {
            share.push(at);
        }
    }
    for share in shares.values_mut() {
        if larger > 0
            && share.len() == quota
            && let Some(at) = left.next()
        {
            larger -= 1;
            share.push(at);
        }
    }
    shares.into_iter().map(|(id, share)| (id.clone(), gather(share))).collect()
}

fn gather(share: impl IntoIterator<Item = (Uuid, i32)>) -> Partitions {
    let mut all = Partitions::new();
    for (topic, number) in share {
        all.entry(topic).or_default().insert(number);
    }
    all
}

/// Subscriptions differ: what can stay stays, the rest goes to whoever has least, then shares are evened out.
fn mixed(members: &Subscribers, sizes: &Sizes) -> Shares {
    let topics: BTreeSet<Uuid> = members.values().flat_map(|member| member.topics.iter().copied()).collect();
    let mut owners: BTreeMap<(Uuid, i32), &Str> = BTreeMap::new();
    for (id, member) in members {
        for at in kept(member, sizes) {
            owners.entry(at).or_insert(id);
        }
    }
    let mut load: BTreeMap<&Str, usize> = members.keys().map(|id| (id, 0)).collect();
    for owner in owners.values() {
        *load.entry(owner).or_default() += 1;
    }
    let readers: BTreeMap<Uuid, Vec<&Str>> = topics
        .iter()
        .map(|topic| {
            let reads = members.iter().filter(|(_, member)| member.topics.contains(topic));
            (*topic, reads.map(|(id, _)| id).collect())
        })
        .collect();
    for _ in 0..ROUNDS_MAX {
        let mut moved = false;
        for at in every(&topics, sizes) {
            let of = readers.get(&at.0).into_iter().flatten();
            let Some(least) = of.min_by_key(|id| load.get(*id).copied().unwrap_or(0)).copied() else {
                continue;
            };
            let lightest = load.get(least).copied().unwrap_or(0);
            if let Some(owner) = owners.get(&at) {
                let heavy = load.get(owner).copied().unwrap_or(0);
                if heavy <= lightest + 1 {
                    continue;
                }
                load.insert(owner, heavy - 1);
            }
            owners.insert(at, least);
            load.insert(least, lightest + 1);
            moved = true;
        }
        if !moved {
            break;
        }
    }
    let mut shares: Shares = members.keys().map(|id| (id.clone(), Partitions::new())).collect();
    for ((topic, number), owner) in owners {
        if let Some(share) = shares.get_mut(owner) {
            share.entry(topic).or_default().insert(number);
        }
    }
    shares
}

/// Topic by topic, each member gets neighbouring partitions; static members come first, so that theirs stay.
fn range(members: &Subscribers, sizes: &Sizes) -> Shares {
    let mut order: Vec<(&Str, &Subscriber)> = members.iter().collect();
    order.sort_by_key(|(id, member)| {
        (member.instance_id.is_none(), member.instance_id.clone(), (*id).clone())
    });
    let mut shares: Shares = members.keys().map(|id| (id.clone(), Partitions::new())).collect();
    for (topic, size) in sizes {
        let readers: Vec<&Str> =
            order.iter().filter(|(_, member)| member.topics.contains(topic)).map(|(id, _)| *id).collect();
        let count = i32::try_from(readers.len()).unwrap_or(i32::MAX).max(1);
        let (quota, extra) = (size / count, size % count);
        let mut from = 0;
        for (index, id) in readers.into_iter().enumerate() {
            let until = from + quota + i32::from(i32::try_from(index).is_ok_and(|index| index < extra));
            if until > from
                && let Some(share) = shares.get_mut(id)
            {
                share.insert(*topic, (from..until).collect());
            }
            from = until;
        }
    }
    shares
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic fails the test")]
mod tests {
    use super::*;

    const A: Uuid = Uuid([1; 16]);
    const B: Uuid = Uuid([2; 16]);

    fn member(topics: &[Uuid], before: &[(Uuid, i32)]) -> Subscriber {
        Subscriber {
            instance_id: None,
            topics: topics.iter().copied().collect(),
            before: gather(before.iter().copied()),
        }
    }

    fn counts(shares: &Shares) -> Vec<usize> {
        shares.values().map(|share| flat(share).count()).collect()
    }

    fn all(shares: &Shares) -> Vec<(Uuid, i32)> {
        let mut all: Vec<_> = shares.values().flat_map(|share| flat(share).collect::<Vec<_>>()).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_third_member_takes_from_both_and_leaves_them_the_rest() {
        let before: [Vec<_>; 2] = [0..3, 3..6].map(|range| range.map(|number| (A, number)).collect());
        let members = Subscribers::from([
            ("a".into(), member(&[A], &before[0])),
            ("b".into(), member(&[A], &before[1])),
            ("c".into(), member(&[A], &[])),
        ]);
        let shares = assign(UNIFORM, &members, &Sizes::from([(A, 6)]));
        assert_eq!(counts(&shares), [2, 2, 2]);
        assert_eq!(all(&shares), every(&BTreeSet::from([A]), &Sizes::from([(A, 6)])).collect::<Vec<_>>());
        assert!(flat(&shares["a"]).all(|at| before[0].contains(&at)));
        assert!(flat(&shares["b"]).all(|at| before[1].contains(&at)));
    }

    #[test]
    fn shares_of_different_subscriptions_are_evened_out() {
        let members = Subscribers::from([
            ("a".into(), member(&[A, B], &(0..4).map(|n| (A, n)).collect::<Vec<_>>())),
            ("b".into(), member(&[A], &[])),
        ]);
        let sizes = Sizes::from([(A, 4), (B, 2)]);
        let shares = assign(UNIFORM, &members, &sizes);
        assert_eq!(counts(&shares), [3, 3]);
        assert!(!shares["b"].contains_key(&B));
        assert_eq!(all(&shares).len(), 6);
    }

    #[test]
    fn ranges_are_neighbours() {
        let members =
            Subscribers::from([("a".into(), member(&[A], &[])), ("b".into(), member(&[A, B], &[]))]);
        let shares = assign(RANGE, &members, &Sizes::from([(A, 3), (B, 1)]));
        assert_eq!(shares["a"], Partitions::from([(A, [0, 1].into())]));
        assert_eq!(shares["b"], Partitions::from([(A, [2].into()), (B, [0].into())]));
    }
}
