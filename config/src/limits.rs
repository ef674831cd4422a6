//! `[limits]`: what every listener refuses to go beyond.

use crate::reader::Section;

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `connections_max`: over all listeners.
    pub connections_max: usize,
    /// `connections_per_ip_max`
    pub connections_per_ip_max: usize,
    /// `accepts_per_second_max`: connections above this rate are closed at once.
    pub accepts_per_second_max: u32,
    /// `handshake_ms_max`: TLS and the protocol's own handshake.
    pub handshake_ms_max: u64,
    /// `idle_ms_max`: connections on which nothing moves.
    pub idle_ms_max: u64,
    /// `connect_ms_max`: connecting to legacy, TLS included.
    pub connect_ms_max: u64,
    /// `shutdown_ms_max`: how long a stop waits for what is under way.
    pub shutdown_ms_max: u64,
    /// `frame_bytes_max`: one frame, once the client is authenticated.
    pub frame_bytes_max: usize,
    /// `frame_bytes_before_auth_max`: one frame before that.
    pub frame_bytes_before_auth_max: usize,
    /// `transmit_bytes_max`: answers that wait for one slow client; reading from it stops beyond.
    pub transmit_bytes_max: usize,
    /// `memory_bytes_max`: requests and answers of all connections together; beyond three quarters of it clients are
    /// not read, and who holds much and moves little has to go.
    pub memory_bytes_max: usize,
    /// `requests_in_flight_max`: requests of one connection that the kernel has not answered.
    pub requests_in_flight_max: usize,
    /// `clients_max`: clients that the inventory remembers.
    pub clients_max: usize,
    /// `fetch_sessions_max`: incremental fetch sessions over all connections.
    pub fetch_sessions_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_ip_max: 2_000,
            accepts_per_second_max: 2_000,
            handshake_ms_max: 10_000,
            idle_ms_max: 600_000,
            connect_ms_max: 10_000,
            shutdown_ms_max: 10_000,
            frame_bytes_max: 100 * 1024 * 1024,
            frame_bytes_before_auth_max: 512 * 1024,
            transmit_bytes_max: 4 * 1024 * 1024,
            memory_bytes_max: 512 * 1024 * 1024,
            requests_in_flight_max: 256,
            clients_max: 10_000,
            fetch_sessions_max: 1_000,
        }
    }
}

pub(crate) fn read(mut section: Section<'_, '_>) -> Limits {
    let mut limits = Limits::default();
    section.set("connections_max", 1..=1_000_000, &mut limits.connections_max);
    section.set("connections_per_ip_max", 1..=1_000_000, &mut limits.connections_per_ip_max);
    section.set("accepts_per_second_max", 1..=1_000_000, &mut limits.accepts_per_second_max);
    section.set("handshake_ms_max", 100..=600_000, &mut limits.handshake_ms_max);
    section.set("idle_ms_max", 1_000..=86_400_000, &mut limits.idle_ms_max);
    section.set("connect_ms_max", 10..=600_000, &mut limits.connect_ms_max);
    section.set("shutdown_ms_max", 0..=600_000, &mut limits.shutdown_ms_max);
    section.set("frame_bytes_max", 1 << 16..=1 << 30, &mut limits.frame_bytes_max);
    section.set("frame_bytes_before_auth_max", 1 << 10..=1 << 24, &mut limits.frame_bytes_before_auth_max);
    section.set("transmit_bytes_max", 1 << 16..=1 << 30, &mut limits.transmit_bytes_max);
    section.set("memory_bytes_max", 1 << 24..=1 << 40, &mut limits.memory_bytes_max);
    section.set("requests_in_flight_max", 1..=65_536, &mut limits.requests_in_flight_max);
    section.set("clients_max", 1..=1_000_000, &mut limits.clients_max);
    section.set("fetch_sessions_max", 1..=1_000_000, &mut limits.fetch_sessions_max);
    section.finish();
    limits
}
