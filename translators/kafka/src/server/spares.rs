//! Producer ids that transactional ids want, where they come from elsewhere than the catalog.

/// Where an id gets its producer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spare {
    /// From the catalog.
    Catalog,
    /// It will be provided: the client is to ask again.
    Later,
    /// Nowhere: Kafka's error code.
    Refused(i16),
}

/// Knows where transactional ids get their producer ids. One for each connection.
pub trait SpareIds: Send + Sync {
    /// An id wants one, with the transaction time-out that its producer has asked for, if it begins.
    fn spare(&self, id: &str, timeout_ms: Option<i32>) -> Spare;
}
