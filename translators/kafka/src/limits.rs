//! Bounds of everything that a client can make grow.

use std::time::Duration;

/// Limits of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest frame before the client is authenticated.
    pub frame_bytes_max_unauthenticated: u32,
    /// Largest frame afterwards.
    pub frame_bytes_max: u32,
    /// Largest frame of any request but Produce: structs take many times their bytes on the wire.
    pub plain_frame_bytes_max: usize,
    /// Requests that may wait for their answers.
    pub in_flight_max: usize,
    /// Bytes of requests that may wait for their answers; a single request may be larger.
    pub in_flight_bytes_max: usize,
    /// Fetches that may wait for their answers: each may bring [`Self::fetch_bytes_max`].
    pub fetches_in_flight_max: usize,
    /// Bytes of answers that may wait to be sent.
    pub queued_bytes_max: usize,
    /// How long a client has to send its first request.
    pub handshake: Duration,
    /// How long a client may be silent while no request of it is worked on.
    pub idle: Duration,
    /// Fetch sessions of one connection.
    pub fetch_sessions_max: usize,
    /// Partitions of one fetch session; a larger fetch goes without one.
    pub fetch_session_partitions_max: usize,
    /// Most bytes of records in one answer to Fetch, whatever the client asks.
    pub fetch_bytes_max: usize,
    /// Reads that one Fetch has under way at a time.
    pub fetch_reads_max: usize,
    /// Longest wait of a Fetch, whatever the client asks.
    pub fetch_wait_max: Duration,
    /// Most bytes that a compressed batch may inflate to while it is validated, at least
    /// [`Self::inflated_bytes_factor`] times the topic's largest batch.
    pub inflated_bytes_max: usize,
    /// See [`Self::inflated_bytes_max`].
    pub inflated_bytes_factor: usize,
    /// Longest wait for a new topic's logs to answer.
    pub create_wait_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max_unauthenticated: 512 * 1024,
            frame_bytes_max: 100 * 1024 * 1024,
            plain_frame_bytes_max: 16 * 1024 * 1024,
            in_flight_max: 128,
            in_flight_bytes_max: 32 * 1024 * 1024,
            fetches_in_flight_max: 2,
            queued_bytes_max: 64 * 1024 * 1024,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            fetch_sessions_max: 8,
            fetch_session_partitions_max: 20_000,
            fetch_bytes_max: 55 * 1024 * 1024,
            fetch_reads_max: 512,
            fetch_wait_max: Duration::from_secs(300),
            inflated_bytes_max: 64 * 1024 * 1024,
            inflated_bytes_factor: 4,
            create_wait_max: Duration::from_secs(5),
        }
    }
}
