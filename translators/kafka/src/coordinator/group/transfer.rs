//! Messages that move a group between sides, or tell of what happened beside it. Clients never send them: they begin with the length
//! 0xFFFF where a client's message has the length of its host, which is never that long.
//!
//! ```text
//! request  u16 0xFFFF | u8 kind | content          reply  u8 kind | content
//! ```
//!
//! A group is *serving* here, or *following* legacy. While it follows, [`Transfer::Install`] and
//! [`Transfer::Follow`] keep it equal to legacy's, and clients are answered NOT_COORDINATOR.
//! [`Transfer::Activate`] is the commit of a handover towards the kernel, [`Transfer::Deactivate`]
//! of one back. Each can be repeated.
//!
//! Legacy cannot be given members. So a group that goes back is gathered first: its members are asked to commit and
//! to join again, and wait. Then it takes nothing more ([`Transfer::Close`]) while its offsets are copied, and
//! [`Transfer::Deactivate`] sends everybody to the other side: one rebalance. [`Transfer::Reopen`] undoes the first
//! two, and the rebalance ends here. Members of the consumer protocol are given nothing to read, commit, let go, and join
//! anew with the other side's first epoch.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::packing::{Packed, PackedError, Unpacker};
use super::record::OffsetsRecord;
use super::snapshot::{CommittedOffset, GroupSnapshot, OffsetKey};
use crate::codec::{Str, Uuid};

/// First two bytes of a migration message.
pub const MARK: u16 = 0xffff;

/// A migration message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transfer {
    /// Replaces a group that follows, or is not known, by this. Answer: `Done`; `Serving` when the group
    /// is served here.
    Install(GroupSnapshot),
    /// Records of legacy's `__consumer_offsets`, in their order. Groups served here ignore theirs.
    /// Answer: `Followed`.
    Follow {
        /// Decoded records; unsupported ones have no effect.
        records: Vec<OffsetsRecord>,
        /// Partition of `__consumer_offsets` and the offset to go on from, stored with the records.
        progress: Vec<(i32, i64)>,
    },
    /// The group is served here from when this is answered; sessions begin anew. Answer: `Done`.
    Activate {
        /// Group id.
        group: Str,
    },
    /// Asks every member to join again, and lets those who have wait. Answer: `Gathered`, now and each time that it
    /// is repeated.
    Gather {
        /// Group id.
        group: Str,
    },
    /// Takes nothing more for the group; what it was given is durable when this is answered. Answer: `Done`.
    Close {
        /// Group id.
        group: Str,
    },
    /// Undoes `Gather` and `Close`. Answer: `Done`.
    Reopen {
        /// Group id.
        group: Str,
    },
    /// The group follows legacy from when this is answered; members are answered NOT_COORDINATOR.
    /// Answer: `Done`.
    Deactivate {
        /// Group id.
        group: Str,
    },
    /// Asks for what is durable of a group. After `Deactivate` nothing changes any more but by
    /// `Follow` and `Install`. Answer: `Exported`.
    Export {
        /// Group id.
        group: Str,
    },
    /// Removes a group that follows. Answer: `Done`; `Serving` when the group is served here.
    Forget {
        /// Group id.
        group: Str,
    },
    /// Asks how far `__consumer_offsets` was followed. Answer: `Progress`.
    Progress,
    /// The kernel deleted these topics: groups that are served here forget the offsets that they committed
    /// for them, which would else be found again under a new topic of the same name. Names that the catalog
    /// does not hold back (any more) for this id are left alone. Answer: `Done`.
    TopicsDeleted {
        /// Their names and ids.
        topics: Vec<(Str, Uuid)>,
    },
}

/// The answer to a migration message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferReply {
    /// Done and durable.
    Done,
    /// Refused: the group is served here.
    Serving,
    /// Refused for now, or until the shard is opened again: retry. Says why.
    Refused(Str),
    /// What the coordinator holds of the group, and whether it serves it; `None`: nothing.
    Exported(Option<(Box<GroupSnapshot>, bool)>),
    /// Applied and durable, except the records of these groups, which are served here: a late
    /// write on the other side.
    Followed {
        /// Their ids, each once.
        ignored: Vec<Str>,
    },
    /// Members that have not joined again yet.
    Gathered {
        /// Their ids.
        missing: Vec<Str>,
    },
    /// Partition and offset to go on from.
    Progress(Vec<(i32, i64)>),
}

impl Transfer {
    /// The message as the coordinator takes it.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u16(MARK);
        self.pack(&mut out);
        out.freeze()
    }

    /// Reads a message, mark included; `None` for one that is not of this kind.
    ///
    /// # Errors
    ///
    /// [`PackedError`] when it has the mark and cannot be read.
    pub fn decode(message: &Bytes) -> Result<Option<Self>, PackedError> {
        let mut rest = message.clone();
        if rest.try_get_u16() != Ok(MARK) {
            return Ok(None);
        }
        Self::from_packed(rest).map(Some)
    }
}

impl TransferReply {
    /// The reply as the coordinator sends it.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        self.to_packed()
    }

    /// Reads a reply.
    ///
    /// # Errors
    ///
    /// [`PackedError`] when it cannot be read.
    pub fn decode(reply: Bytes) -> Result<Self, PackedError> {
        Self::from_packed(reply)
    }
}

impl Packed for Transfer {
    const BYTES_MIN: usize = 1;

    fn pack(&self, out: &mut BytesMut) {
        let mut named = |kind: u8, group: &Str| {
            out.put_u8(kind);
            group.pack(out);
        };
        match self {
            Self::Activate { group } => named(3, group),
            Self::Deactivate { group } => named(4, group),
            Self::Export { group } => named(5, group),
            Self::Forget { group } => named(6, group),
            Self::Gather { group } => named(9, group),
            Self::Close { group } => named(10, group),
            Self::Reopen { group } => named(11, group),
            Self::Progress => out.put_u8(7),
            Self::TopicsDeleted { topics } => {
                out.put_u8(8);
                topics.pack(out);
            }
            Self::Install(snapshot) => {
                out.put_u8(1);
                snapshot.pack(out);
            }
            Self::Follow { records, progress } => {
                out.put_u8(2);
                records.pack(out);
                progress.pack(out);
            }
        }
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        Ok(match from.get::<u8>()? {
            1 => Self::Install(from.get()?),
            2 => Self::Follow { records: from.get()?, progress: from.get()? },
            3 => Self::Activate { group: from.get()? },
            4 => Self::Deactivate { group: from.get()? },
            5 => Self::Export { group: from.get()? },
            6 => Self::Forget { group: from.get()? },
            7 => Self::Progress,
            8 => Self::TopicsDeleted { topics: from.get()? },
            9 => Self::Gather { group: from.get()? },
            10 => Self::Close { group: from.get()? },
            11 => Self::Reopen { group: from.get()? },
            other => return Err(PackedError::Kind(other)),
        })
    }
}

impl Packed for TransferReply {
    const BYTES_MIN: usize = 1;

    fn pack(&self, out: &mut BytesMut) {
        match self {
            Self::Done => out.put_u8(1),
            Self::Serving => out.put_u8(2),
            Self::Refused(why) => {
                out.put_u8(3);
                why.pack(out);
            }
            Self::Exported(None) => out.put_u8(4),
            Self::Exported(Some((snapshot, serving))) => {
                out.put_u8(if *serving { 5 } else { 6 });
                snapshot.pack(out);
            }
            Self::Followed { ignored } => {
                out.put_u8(7);
                ignored.pack(out);
            }
            Self::Gathered { missing } => {
                out.put_u8(9);
                missing.pack(out);
            }
            Self::Progress(progress) => {
                out.put_u8(8);
                progress.pack(out);
            }
        }
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        Ok(match from.get::<u8>()? {
            1 => Self::Done,
            2 => Self::Serving,
            3 => Self::Refused(from.get()?),
            4 => Self::Exported(None),
            5 => Self::Exported(Some((Box::new(from.get()?), true))),
            6 => Self::Exported(Some((Box::new(from.get()?), false))),
            7 => Self::Followed { ignored: from.get()? },
            8 => Self::Progress(from.get()?),
            9 => Self::Gathered { missing: from.get()? },
            other => return Err(PackedError::Kind(other)),
        })
    }
}

impl Packed for (i32, i64) {
    const BYTES_MIN: usize = 12;

    fn pack(&self, out: &mut BytesMut) {
        self.0.pack(out);
        self.1.pack(out);
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        Ok((from.get()?, from.get()?))
    }
}

impl Packed for (Str, Uuid) {
    const BYTES_MIN: usize = 20;

    fn pack(&self, out: &mut BytesMut) {
        self.0.pack(out);
        u128::from_be_bytes(self.1.0).pack(out);
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        Ok((from.get()?, Uuid(from.get::<u128>()?.to_be_bytes())))
    }
}

impl Packed for OffsetsRecord {
    const BYTES_MIN: usize = 4;

    fn pack(&self, out: &mut BytesMut) {
        match self {
            Self::Offset { group, key, value } => {
                out.put_u8(1);
                group.pack(out);
                key.pack(out);
                value.pack(out);
            }
            Self::Group { group, generation } => {
                out.put_u8(2);
                group.pack(out);
                generation.pack(out);
            }
            Self::Consumer { group, key, value } => {
                out.put_u8(4);
                group.pack(out);
                key.pack(out);
                value.pack(out);
            }
            Self::Unsupported { key_version, group } => {
                out.put_u8(3);
                key_version.pack(out);
                group.pack(out);
            }
        }
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        Ok(match from.get::<u8>()? {
            1 => {
                let (group, key) = (from.get()?, from.get::<OffsetKey>()?);
                Self::Offset { group, key, value: from.get::<Option<CommittedOffset>>()? }
            }
            2 => Self::Group { group: from.get()?, generation: from.get()? },
            4 => Self::Consumer { group: from.get()?, key: from.get()?, value: from.get()? },
            3 => Self::Unsupported { key_version: from.get()?, group: from.get()? },
            other => return Err(PackedError::Kind(other)),
        })
    }
}
