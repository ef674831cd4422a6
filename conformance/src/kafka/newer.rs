//! Versions that the stock codec does not know: those newer than it, and Produce before version 3. Written by hand after
//! Kafka 4.4's message descriptors; each is a small change to a version that the codec does know.
//!
//! ```text
//! ListOffsets 11    as 10
//! OffsetCommit 10   as 9, topics by id instead of name, in request and answer
//! OffsetFetch 10    as 9, likewise
//! TxnOffsetCommit 6 as 5, likewise
//! ApiVersions 5     request as 4, then cluster id (nullable) and node id
//! DeleteGroups 3    request as 2; answer as 2, then a message for each group
//! ```

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsRequest, DeleteGroupsRequest, ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest,
    TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::tree::Tree;
use super::wire::{Ask, CLIENT_ID, WireError};

/// Elements of a list that are read at the most.
const ELEMENTS_MAX: usize = 10_000;

/// Puts another version into a frame; it stands behind the API key.
pub(super) fn relabelled(frame: &Bytes, version: i16) -> Bytes {
    let mut frame = BytesMut::from(frame.as_ref());
    if let Some(place) = frame.get_mut(2..4) {
        place.copy_from_slice(&version.to_be_bytes());
    }
    frame.freeze()
}

/// ListOffsets in any version up to 11.
pub(super) struct Offsets(pub(super) ListOffsetsRequest);

impl Ask for Offsets {
    fn key(&self) -> i16 {
        self.0.key()
    }

    fn frame(&self, version: i16, correlation: i32) -> Result<Bytes, WireError> {
        Ok(relabelled(&self.0.frame(version.min(10), correlation)?, version))
    }

    fn answer(&self, body: Bytes, version: i16) -> Result<Tree, WireError> {
        self.0.answer(body, version.min(10))
    }
}

/// ApiVersions in any version up to 5; the cluster and node that the client believes to be connected to.
pub(super) struct Versions(pub(super) ApiVersionsRequest, pub(super) Option<(&'static str, i32)>);

impl Ask for Versions {
    fn key(&self) -> i16 {
        self.0.key()
    }

    fn frame(&self, version: i16, correlation: i32) -> Result<Bytes, WireError> {
        let frame = self.0.frame(version.min(4), correlation)?;
        if version < 5 {
            return Ok(frame);
        }
        let (cluster, node) = self.1.map_or((None, -1), |(cluster, node)| (Some(cluster), node));
        // The new fields stand before the (empty) list of tagged ones.
        let without_tags = frame.len().saturating_sub(1);
        let mut longer = BytesMut::from(relabelled(&frame.slice(..without_tags), version).as_ref());
        put_text(&mut longer, cluster);
        longer.put_i32(node);
        longer.put_u8(0);
        Ok(longer.freeze())
    }

    fn answer(&self, body: Bytes, version: i16) -> Result<Tree, WireError> {
        self.0.answer(body, version.min(4))
    }
}

/// DeleteGroups in any version up to 3.
pub(super) struct Deletion(pub(super) DeleteGroupsRequest);

impl Ask for Deletion {
    fn key(&self) -> i16 {
        self.0.key()
    }

    fn frame(&self, version: i16, correlation: i32) -> Result<Bytes, WireError> {
        Ok(relabelled(&self.0.frame(version.min(2), correlation)?, version))
    }

    fn answer(&self, body: Bytes, version: i16) -> Result<Tree, WireError> {
        if version < 3 {
            return self.0.answer(body, version);
        }
        let mut reader = Reader::behind_header(body)?;
        let throttle = reader.int()?;
        let results = reader.list(|reader| {
            let fields = [
                ("group_id", reader.text()?),
                ("error_code", reader.short()?),
                ("error_message", reader.text()?),
            ];
            reader.tags()?;
            Ok(tree(fields))
        })?;
        reader.end(tree([("throttle_time_ms", throttle), ("results", results)]))
    }
}

/// OffsetCommit in any version up to 10; the id of the one topic it names.
pub(super) struct Commit(pub(super) OffsetCommitRequest, pub(super) Uuid);

impl Ask for Commit {
    fn key(&self) -> i16 {
        self.0.key()
    }

    fn frame(&self, version: i16, correlation: i32) -> Result<Bytes, WireError> {
        if version < 10 {
            return self.0.frame(version, correlation);
        }
        let mut frame = header(self.key(), version, correlation);
        put_text(&mut frame, Some(&self.0.group_id));
        frame.put_i32(self.0.generation_id_or_member_epoch);
        put_text(&mut frame, Some(&self.0.member_id));
        put_text(&mut frame, self.0.group_instance_id.as_deref());
        put_count(&mut frame, self.0.topics.len());
        for topic in &self.0.topics {
            let offsets = topic.partitions.iter().map(|each| Offset {
                partition: each.partition_index,
                offset: each.committed_offset,
                leader_epoch: each.committed_leader_epoch,
                note: each.committed_metadata.as_deref(),
            });
            put_topic(&mut frame, self.1, offsets);
        }
        frame.put_u8(0);
        Ok(frame.freeze())
    }

    fn answer(&self, body: Bytes, version: i16) -> Result<Tree, WireError> {
        if version < 10 {
            return self.0.answer(body, version);
        }
        commit_answer(body)
    }
}

/// The answer to a commit by id.
fn commit_answer(body: Bytes) -> Result<Tree, WireError> {
    let mut reader = Reader::behind_header(body)?;
    let throttle = reader.int()?;
    let topics = reader.list(|reader| {
        let id = reader.uuid()?;
        let partitions = reader.list(|reader| {
            let fields = [("partition_index", reader.int()?), ("error_code", reader.short()?)];
            reader.tags()?;
            Ok(tree(fields))
        })?;
        reader.tags()?;
        Ok(tree([("topic_id", id), ("partitions", partitions)]))
    })?;
    reader.end(tree([("throttle_time_ms", throttle), ("topics", topics)]))
}

/// One partition of a commit.
struct Offset<'a> {
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    note: Option<&'a str>,
}

/// One topic of a commit, by its id.
fn put_topic<'a>(frame: &mut BytesMut, id: Uuid, offsets: impl ExactSizeIterator<Item = Offset<'a>>) {
    frame.put_slice(id.as_bytes());
    put_count(frame, offsets.len());
    for Offset { partition, offset, leader_epoch, note } in offsets {
        frame.put_i32(partition);
        frame.put_i64(offset);
        frame.put_i32(leader_epoch);
        put_text(frame, note);
        frame.put_u8(0);
    }
    frame.put_u8(0);
}

/// TxnOffsetCommit in any version up to 6; the id of the one topic it names.
pub(super) struct TxnCommit(pub(super) TxnOffsetCommitRequest, pub(super) Uuid);

impl Ask for TxnCommit {
    fn key(&self) -> i16 {
        self.0.key()
    }

    fn frame(&self, version: i16, correlation: i32) -> Result<Bytes, WireError> {
        if version < 6 {
            return self.0.frame(version, correlation);
        }
        let mut frame = header(self.key(), version, correlation);
        put_text(&mut frame, Some(&self.0.transactional_id));
        put_text(&mut frame, Some(&self.0.group_id));
        frame.put_i64(self.0.producer_id.0);
        frame.put_i16(self.0.producer_epoch);
        frame.put_i32(self.0.generation_id);
        put_text(&mut frame, Some(&self.0.member_id));
        put_text(&mut frame, self.0.group_instance_id.as_deref());
        put_count(&mut frame, self.0.topics.len());
        for topic in &self.0.topics {
            let offsets = topic.partitions.iter().map(|each| Offset {
                partition: each.partition_index,
                offset: each.committed_offset,
                leader_epoch: each.committed_leader_epoch,
                note: each.committed_metadata.as_deref(),
            });
            put_topic(&mut frame, self.1, offsets);
        }
        frame.put_u8(0);
        Ok(frame.freeze())
    }

    fn answer(&self, body: Bytes, version: i16) -> Result<Tree, WireError> {
        if version < 6 { self.0.answer(body, version) } else { commit_answer(body) }
    }
}

/// OffsetFetch in any version up to 10; the id of the one topic it names.
pub(super) struct Committed(pub(super) OffsetFetchRequest, pub(super) Uuid);

impl Ask for Committed {
    fn key(&self) -> i16 {
        self.0.key()
    }

    fn frame(&self, version: i16, correlation: i32) -> Result<Bytes, WireError> {
        if version < 10 {
            return self.0.frame(version, correlation);
        }
        let mut frame = header(self.key(), version, correlation);
        put_count(&mut frame, self.0.groups.len());
        for group in &self.0.groups {
            put_text(&mut frame, Some(&group.group_id));
            put_text(&mut frame, group.member_id.as_deref());
            frame.put_i32(group.member_epoch);
            match &group.topics {
                None => frame.put_u8(0),
                Some(topics) => {
                    put_count(&mut frame, topics.len());
                    for topic in topics {
                        frame.put_slice(self.1.as_bytes());
                        put_count(&mut frame, topic.partition_indexes.len());
                        topic.partition_indexes.iter().for_each(|index| frame.put_i32(*index));
                        frame.put_u8(0);
                    }
                }
            }
            frame.put_u8(0);
        }
        frame.put_u8(u8::from(self.0.require_stable));
        frame.put_u8(0);
        Ok(frame.freeze())
    }

    fn answer(&self, body: Bytes, version: i16) -> Result<Tree, WireError> {
        if version < 10 {
            return self.0.answer(body, version);
        }
        let mut reader = Reader::behind_header(body)?;
        let throttle = reader.int()?;
        let groups = reader.list(|reader| {
            let name = reader.text()?;
            let topics = reader.list(|reader| {
                let id = reader.uuid()?;
                let partitions = reader.list(committed_partition)?;
                reader.tags()?;
                Ok(tree([("topic_id", id), ("partitions", partitions)]))
            })?;
            let error = reader.short()?;
            reader.tags()?;
            Ok(tree([("group_id", name), ("topics", topics), ("error_code", error)]))
        })?;
        reader.end(tree([("throttle_time_ms", throttle), ("groups", groups)]))
    }
}

fn committed_partition(reader: &mut Reader) -> Result<Tree, WireError> {
    let fields = [
        ("partition_index", reader.int()?),
        ("committed_offset", reader.long()?),
        ("committed_leader_epoch", reader.int()?),
        ("metadata", reader.text()?),
        ("error_code", reader.short()?),
    ];
    reader.tags()?;
    Ok(tree(fields))
}

/// Produce of a batch in a version before 3: advertised for the sake of old clients, which read the whole range, but
/// refused since Kafka 4.0.
pub(super) struct OldProduce {
    /// Topic.
    pub(super) topic: String,
    /// The batch.
    pub(super) records: Bytes,
}

impl Ask for OldProduce {
    fn key(&self) -> i16 {
        0
    }

    fn frame(&self, version: i16, correlation: i32) -> Result<Bytes, WireError> {
        let mut frame = BytesMut::new();
        frame.put_i16(0);
        frame.put_i16(version);
        frame.put_i32(correlation);
        put_short_text(&mut frame, CLIENT_ID);
        frame.put_i16(-1);
        frame.put_i32(10_000);
        frame.put_i32(1);
        put_short_text(&mut frame, &self.topic);
        frame.put_i32(1);
        frame.put_i32(0);
        frame.put_i32(i32::try_from(self.records.len()).unwrap_or(0));
        frame.put_slice(&self.records);
        Ok(frame.freeze())
    }

    /// Only whether there is an answer is told: since 4.0 there is none.
    fn answer(&self, body: Bytes, _: i16) -> Result<Tree, WireError> {
        Ok(tree([("answered_bytes", Tree::leaf(body.len()))]))
    }
}

fn put_short_text(frame: &mut BytesMut, text: &str) {
    frame.put_i16(i16::try_from(text.len()).unwrap_or(0));
    frame.put_slice(text.as_bytes());
}

/// A request header of version 2.
fn header(key: i16, version: i16, correlation: i32) -> BytesMut {
    let mut frame = BytesMut::new();
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(correlation);
    put_short_text(&mut frame, CLIENT_ID);
    frame.put_u8(0);
    frame
}

/// A length plus one, in base 128 with the lowest digits first; 0 stands for none.
fn put_count(frame: &mut BytesMut, count: usize) {
    let mut rest = count + 1;
    while rest >= 0x80 {
        frame.put_u8(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    frame.put_u8(u8::try_from(rest).unwrap_or(0));
}

fn put_text(frame: &mut BytesMut, text: Option<&str>) {
    match text {
        None => frame.put_u8(0),
        Some(text) => {
            put_count(frame, text.len());
            frame.put_slice(text.as_bytes());
        }
    }
}

fn tree<const N: usize>(fields: [(&str, Tree); N]) -> Tree {
    Tree::Fields(BTreeMap::from(fields.map(|(name, value)| (name.to_owned(), value))))
}

/// Reads an answer in the flexible encoding.
struct Reader(Bytes);

impl Reader {
    /// Behind correlation id and tagged fields.
    fn behind_header(body: Bytes) -> Result<Self, WireError> {
        let mut reader = Self(body);
        reader.int()?;
        reader.tags()?;
        Ok(reader)
    }

    fn torn<E>(_: E) -> WireError {
        WireError::Malformed("the answer ends too early".to_owned())
    }

    fn short(&mut self) -> Result<Tree, WireError> {
        self.0.try_get_i16().map(Tree::leaf).map_err(Self::torn)
    }

    fn int(&mut self) -> Result<Tree, WireError> {
        self.0.try_get_i32().map(Tree::leaf).map_err(Self::torn)
    }

    fn long(&mut self) -> Result<Tree, WireError> {
        self.0.try_get_i64().map(Tree::leaf).map_err(Self::torn)
    }

    fn uuid(&mut self) -> Result<Tree, WireError> {
        self.0.try_get_u128().map(|id| Tree::leaf(Uuid::from_u128(id))).map_err(Self::torn)
    }

    fn varint(&mut self) -> Result<usize, WireError> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.0.try_get_u8().map_err(Self::torn)?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Malformed("a length without an end".to_owned()))
    }

    /// A text as its debug output, like the codec's own.
    fn text(&mut self) -> Result<Tree, WireError> {
        let Some(length) = self.varint()?.checked_sub(1) else { return Ok(Tree::leaf("None")) };
        if length > self.0.len() {
            return Err(Self::torn(()));
        }
        let text = StrBytes::try_from(self.0.split_to(length));
        text.map(|text| Tree::leaf(format!("{text:?}")))
            .map_err(|error| WireError::Malformed(error.to_string()))
    }

    fn list(&mut self, element: impl Fn(&mut Self) -> Result<Tree, WireError>) -> Result<Tree, WireError> {
        let Some(count) = self.varint()?.checked_sub(1) else { return Ok(Tree::leaf("None")) };
        if count > ELEMENTS_MAX {
            return Err(WireError::Malformed(format!("{count} elements")));
        }
        (0..count).map(|_| element(self)).collect::<Result<Vec<_>, _>>().map(Tree::List)
    }

    /// Tagged fields: none is known in these answers.
    fn tags(&mut self) -> Result<(), WireError> {
        let count = self.varint()?;
        if count == 0 { Ok(()) } else { Err(WireError::Malformed(format!("{count} unknown tagged fields"))) }
    }

    /// The answer, if it ends here.
    fn end(mut self, answer: Tree) -> Result<Tree, WireError> {
        self.tags()?;
        if self.0.is_empty() {
            return Ok(answer);
        }
        Err(WireError::Malformed(format!("{} bytes too many", self.0.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::requests::commit;
    use crate::kafka::scene::Scene;

    #[test]
    fn a_commit_by_id_is_the_one_by_name_with_sixteen_bytes_in_its_place() {
        let scene = Scene::named("t", 1);
        let id = Uuid::from_u128(7);
        let request = Commit(commit(&scene, "name", 0, 5, "note", 9), id);
        let by_name = request.frame(9, 1).unwrap();
        let by_id = request.frame(10, 1).unwrap();
        let name: &[u8] = b"\x05name";
        let at = by_name.windows(name.len()).position(|window| window == name).unwrap();
        let want =
            [&by_name[..2], &[0, 10], &by_name[4..at], id.as_bytes(), &by_name[at + name.len()..]].concat();
        assert_eq!(by_id, want);
    }

    #[test]
    fn answers_are_read_to_their_end_and_torn_ones_refused() {
        let mut body = BytesMut::new();
        body.put_i32(1);
        body.put_u8(0);
        body.put_i32(0);
        body.put_u8(2);
        put_text(&mut body, Some("g"));
        body.put_i16(69);
        body.put_u8(0);
        body.put_u8(0);
        body.put_u8(0);
        let body = body.freeze();
        let request = Deletion(DeleteGroupsRequest::default());
        let answer = request.answer(body.clone(), 3).unwrap();
        assert_eq!(answer.errors(), [69]);
        for end in 0..body.len() {
            assert!(request.answer(body.slice(..end), 3).is_err(), "{end}");
        }
    }
}
