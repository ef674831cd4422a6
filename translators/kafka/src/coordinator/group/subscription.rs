//! What members of the consumers' protocol type are subscribed to.
//!
//! Every version of a subscription begins like the first: `i16 version | i32 n | n × string topic`.
//! Only that is read, so newer versions do no harm.

use std::collections::BTreeSet;

use bytes::{Buf, Bytes};

use super::state::Group;
use crate::codec::Str;

/// Protocol type of consumers.
pub(super) const PROTOCOL_TYPE: &str = "consumer";

/// Topics of all members; `None` where that is not known: another protocol type, no members ever, or
/// a subscription that cannot be read.
pub(super) fn topics(group: &Group) -> Option<BTreeSet<Str>> {
    if !group.uses_consumer_protocol() {
        return None;
    }
    let mut topics = BTreeSet::new();
    for member in group.members.values() {
        let protocol = group.protocol_name.as_ref()?;
        read_topics(member.metadata(Some(protocol)), &mut topics)?;
    }
    Some(topics)
}

fn read_topics(subscription: Bytes, into: &mut BTreeSet<Str>) -> Option<()> {
    let mut rest = subscription;
    rest.try_get_i16().ok()?;
    let count = usize::try_from(rest.try_get_i32().ok()?).ok()?;
    for _ in 0..count {
        let length = usize::try_from(rest.try_get_i16().ok()?).ok()?;
        if length > rest.len() {
            return None;
        }
        into.insert(Str::try_from(rest.split_to(length)).ok()?);
    }
    Some(())
}
