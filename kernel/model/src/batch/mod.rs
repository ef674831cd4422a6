//! Record batch v2: the stored form of every record.
//!
//! ```text
//!   0  base offset            i64   ┐ before the checksummed part:
//!   8  batch length           i32   │ base offset and epoch may be
//!  12  partition leader epoch i32   │ patched without a new checksum
//!  16  magic (2)              i8    ┘
//!  17  crc32c of what follows u32
//!  21  attributes             i16   bits 0-2 codec, 3 timestamp type, 4 transactional, 5 control,
//!                                   6 the base timestamp is a delete horizon
//!  23  last offset delta      i32
//!  27  base timestamp         i64
//!  35  max timestamp          i64
//!  43  producer id            i64
//!  51  producer epoch         i16
//!  53  base sequence          i32
//!  57  record count           i32
//!  61  records
//! ```
//!
//! Batch length counts from offset 12. All integers are big-endian.

mod build;
mod chain;
mod filter;
mod header;
mod inflate;
mod marker;
mod record;
#[cfg(test)]
mod tests;
mod validate;

pub use build::{BatchSpec, NewRecord};
pub use chain::chain_next;
pub use filter::{emptied, filtered};
pub use header::{BATCH_HEADER_LEN, BatchError, BatchHeader, VerifiedBatch, patch_header, restamp, split};
pub use inflate::{Codec, InflateError, inflate, record_bytes};
pub use marker::{Marker, fingerprint};
pub use record::{Record, RecordError, Records};
pub use validate::{Fault, Rules, TimestampBounds, refused_records, validate};
