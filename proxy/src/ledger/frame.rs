//! Frames on disk: checksums, numbering, torn tails.

use super::LedgerError;
use super::entry::Entry;
use super::seal::Seal;

/// Version of the file format, in the file's head.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"SLUICELG";
const HEAD_LEN: usize = 12;
const FRAME_HEAD_LEN: usize = 20;
/// Longest body; a declared length above it is damage, not a reason to allocate.
const BODY_LEN_MAX: u32 = 16 << 20;

/// Where the next frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tail {
    /// Bytes of whole frames, the file's head included.
    pub(super) len: u64,
    /// Number of the last entry.
    pub(super) number: u64,
    /// Body checksum of the last frame.
    checksum: u32,
    /// Seal over every entry so far.
    pub(super) seal: Seal,
}

/// The file's head.
pub(super) fn head() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
    bytes
}

/// Appends one frame to `out` and moves number and checksum of `tail` on (its length is the writer's).
pub(super) fn write(tail: &mut Tail, entry: &Entry, out: &mut Vec<u8>) {
    // Every type of an entry is plain data with string keys: serialising it into memory cannot fail.
    let body = serde_json::to_vec(entry).unwrap_or_default();
    let mut head = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    head.extend_from_slice(&entry.number.to_be_bytes());
    let checksum = crc32c::crc32c_append(tail.checksum, &body);
    out.extend_from_slice(&head);
    out.extend_from_slice(&crc32c::crc32c(&head).to_be_bytes());
    out.extend_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(&body);
    tail.number = entry.number;
    tail.checksum = checksum;
    tail.seal = tail.seal.next(&body);
}

/// Reads whole frames; what follows the returned tail is torn.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<(Tail, Vec<Entry>), LedgerError> {
    let mut entries = Vec::new();
    let mut tail = Tail::default();
    if !read_head(name, bytes)? {
        return Ok((tail, entries));
    }
    tail.len = HEAD_LEN as u64;
    let mut rest = bytes.get(HEAD_LEN..).unwrap_or_default();
    loop {
        let damaged = |what| LedgerError::Damaged { name: name.to_owned(), offset: tail.len, what };
        match next(rest, &tail).map_err(damaged)? {
            None => return Ok((tail, entries)),
            Some((len, checksum, entry)) => {
                let body = rest.get(FRAME_HEAD_LEN..len).unwrap_or_default();
                let seal = tail.seal.next(body);
                tail = Tail { len: tail.len + len as u64, number: entry.number, checksum, seal };
                entries.push(entry);
                rest = rest.get(len..).unwrap_or_default();
            }
        }
    }
}

/// The bodies of the whole frames of a file that [`read`] has found in order.
pub(super) fn bodies(bytes: &[u8]) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    let mut rest = bytes.get(HEAD_LEN..).unwrap_or_default();
    while let Some(length) = rest.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize) {
        let whole = FRAME_HEAD_LEN + length;
        let Some(body) = rest.get(FRAME_HEAD_LEN..whole).filter(|body| !body.is_empty()) else { break };
        bodies.push(body);
        rest = rest.get(whole..).unwrap_or_default();
    }
    bodies
}

/// Whether the file has a whole head.
fn read_head(name: &str, bytes: &[u8]) -> Result<bool, LedgerError> {
    let magic = bytes.get(..MAGIC.len());
    let version =
        bytes.get(MAGIC.len()..HEAD_LEN).and_then(|field| field.try_into().ok()).map(u32::from_be_bytes);
    match (magic, version) {
        (Some(magic), Some(FORMAT_VERSION)) if magic == MAGIC => Ok(true),
        (Some(magic), Some(found)) if magic == MAGIC && found != 0 => {
            Err(LedgerError::Version { name: name.to_owned(), found })
        }
        // The very first write was torn.
        _ if head().starts_with(bytes) || all_zero(bytes) || bytes.len() < HEAD_LEN => Ok(false),
        _ => Err(LedgerError::Damaged { name: name.to_owned(), offset: 0, what: "not a ledger".to_owned() }),
    }
}

/// The frame at the front of `rest`: its length, its checksum and its entry; `None` at the end or at a torn
/// tail; what is wrong otherwise.
fn next(rest: &[u8], tail: &Tail) -> Result<Option<(usize, u32, Entry)>, String> {
    let Some(head) = rest.first_chunk::<FRAME_HEAD_LEN>() else { return Ok(None) };
    if all_zero(rest) {
        return Ok(None);
    }
    let (covered, checksums) = head.split_at(12);
    if !checksums.starts_with(&crc32c::crc32c(covered).to_be_bytes()) {
        return if zero_from_some_point(head) && all_zero(rest.get(FRAME_HEAD_LEN..).unwrap_or_default()) {
            Ok(None)
        } else {
            Err("frame head fails its checksum".to_owned())
        };
    }
    let length = u32::from_be_bytes(covered.first_chunk().copied().unwrap_or_default());
    let number = u64::from_be_bytes(covered.last_chunk().copied().unwrap_or_default());
    let checksum = u32::from_be_bytes(checksums.last_chunk().copied().unwrap_or_default());
    if length > BODY_LEN_MAX || number != tail.number + 1 {
        return Err(format!("frame {number} of {length} bytes cannot follow entry {}", tail.number));
    }
    let whole = FRAME_HEAD_LEN + length as usize;
    let Some(body) = rest.get(FRAME_HEAD_LEN..whole) else { return Ok(None) };
    if crc32c::crc32c_append(tail.checksum, body) != checksum {
        let last = rest.len() == whole;
        // JSON holds no zero byte: a body that ends in one was never written to its end.
        return if last && body.last() == Some(&0) {
            Ok(None)
        } else {
            Err("entry fails its checksum".to_owned())
        };
    }
    let entry: Entry =
        serde_json::from_slice(body).map_err(|error| format!("entry cannot be read: {error}"))?;
    if entry.number != number {
        return Err(format!("entry {} in frame {number}", entry.number));
    }
    Ok(Some((whole, checksum, entry)))
}

fn all_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// Whether a frame head stopped being written within its last fields.
fn zero_from_some_point(head: &[u8]) -> bool {
    head.last_chunk::<8>().is_some_and(|end| all_zero(end))
}
