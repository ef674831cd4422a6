//! Kafka's error codes, and which of them each refusal becomes. No other module knows a number.

use kernel_model::KernelError;
use kernel_model::batch::{BatchError, Fault, InflateError};

macro_rules! error_codes {
    ($($name:ident = $code:literal,)*) => {
        /// An error code of the Kafka protocol, under its name there.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the names are Kafka's own and its documentation explains them")]
        #[repr(i16)]
        pub enum ErrorCode {
            $($name = $code,)*
        }

        impl ErrorCode {
            /// Every code, ascending.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code of this number, if Kafka has one.
            #[must_use]
            pub const fn from_code(code: i16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    UnknownServerError = -1,
    None = 0,
    OffsetOutOfRange = 1,
    CorruptMessage = 2,
    UnknownTopicOrPartition = 3,
    InvalidFetchSize = 4,
    LeaderNotAvailable = 5,
    NotLeaderOrFollower = 6,
    RequestTimedOut = 7,
    BrokerNotAvailable = 8,
    ReplicaNotAvailable = 9,
    MessageTooLarge = 10,
    StaleControllerEpoch = 11,
    OffsetMetadataTooLarge = 12,
    NetworkException = 13,
    CoordinatorLoadInProgress = 14,
    CoordinatorNotAvailable = 15,
    NotCoordinator = 16,
    InvalidTopic = 17,
    RecordListTooLarge = 18,
    NotEnoughReplicas = 19,
    NotEnoughReplicasAfterAppend = 20,
    InvalidRequiredAcks = 21,
    IllegalGeneration = 22,
    InconsistentGroupProtocol = 23,
    InvalidGroupId = 24,
    UnknownMemberId = 25,
    InvalidSessionTimeout = 26,
    RebalanceInProgress = 27,
    InvalidCommitOffsetSize = 28,
    TopicAuthorizationFailed = 29,
    GroupAuthorizationFailed = 30,
    ClusterAuthorizationFailed = 31,
    InvalidTimestamp = 32,
    UnsupportedSaslMechanism = 33,
    IllegalSaslState = 34,
    UnsupportedVersion = 35,
    TopicAlreadyExists = 36,
    InvalidPartitions = 37,
    InvalidReplicationFactor = 38,
    InvalidReplicaAssignment = 39,
    InvalidConfig = 40,
    NotController = 41,
    InvalidRequest = 42,
    UnsupportedForMessageFormat = 43,
    PolicyViolation = 44,
    OutOfOrderSequenceNumber = 45,
    DuplicateSequenceNumber = 46,
    InvalidProducerEpoch = 47,
    InvalidTxnState = 48,
    InvalidProducerIdMapping = 49,
    InvalidTransactionTimeout = 50,
    ConcurrentTransactions = 51,
    TransactionCoordinatorFenced = 52,
    TransactionalIdAuthorizationFailed = 53,
    SecurityDisabled = 54,
    OperationNotAttempted = 55,
    KafkaStorageError = 56,
    LogDirNotFound = 57,
    SaslAuthenticationFailed = 58,
    UnknownProducerId = 59,
    ReassignmentInProgress = 60,
    DelegationTokenAuthDisabled = 61,
    DelegationTokenNotFound = 62,
    DelegationTokenOwnerMismatch = 63,
    DelegationTokenRequestNotAllowed = 64,
    DelegationTokenAuthorizationFailed = 65,
    DelegationTokenExpired = 66,
    InvalidPrincipalType = 67,
    NonEmptyGroup = 68,
    GroupIdNotFound = 69,
    FetchSessionIdNotFound = 70,
    InvalidFetchSessionEpoch = 71,
    ListenerNotFound = 72,
    TopicDeletionDisabled = 73,
    FencedLeaderEpoch = 74,
    UnknownLeaderEpoch = 75,
    UnsupportedCompressionType = 76,
    StaleBrokerEpoch = 77,
    OffsetNotAvailable = 78,
    MemberIdRequired = 79,
    PreferredLeaderNotAvailable = 80,
    GroupMaxSizeReached = 81,
    FencedInstanceId = 82,
    EligibleLeadersNotAvailable = 83,
    ElectionNotNeeded = 84,
    NoReassignmentInProgress = 85,
    GroupSubscribedToTopic = 86,
    InvalidRecord = 87,
    UnstableOffsetCommit = 88,
    ThrottlingQuotaExceeded = 89,
    ProducerFenced = 90,
    ResourceNotFound = 91,
    DuplicateResource = 92,
    UnacceptableCredential = 93,
    InconsistentVoterSet = 94,
    InvalidUpdateVersion = 95,
    FeatureUpdateFailed = 96,
    PrincipalDeserializationFailure = 97,
    SnapshotNotFound = 98,
    PositionOutOfRange = 99,
    UnknownTopicId = 100,
    DuplicateBrokerRegistration = 101,
    BrokerIdNotRegistered = 102,
    InconsistentTopicId = 103,
    InconsistentClusterId = 104,
    TransactionalIdNotFound = 105,
    FetchSessionTopicIdError = 106,
    IneligibleReplica = 107,
    NewLeaderElected = 108,
    OffsetMovedToTieredStorage = 109,
    FencedMemberEpoch = 110,
    UnreleasedInstanceId = 111,
    UnsupportedAssignor = 112,
    StaleMemberEpoch = 113,
    MismatchedEndpointType = 114,
    UnsupportedEndpointType = 115,
    UnknownControllerId = 116,
    UnknownSubscriptionId = 117,
    TelemetryTooLarge = 118,
    InvalidRegistration = 119,
    TransactionAbortable = 120,
    InvalidRecordState = 121,
    ShareSessionNotFound = 122,
    InvalidShareSessionEpoch = 123,
    FencedStateEpoch = 124,
    InvalidVoterKey = 125,
    DuplicateVoter = 126,
    VoterNotFound = 127,
    InvalidRegularExpression = 128,
    RebootstrapRequired = 129,
    StreamsInvalidTopology = 130,
    StreamsInvalidTopologyEpoch = 131,
    StreamsTopologyFenced = 132,
    ShareSessionLimitReached = 133,
    GroupDeletionFailed = 134,
    StreamsTopologyDescriptionUpdateFailed = 135,
    ControllerIdNotRegistered = 136,
}

impl ErrorCode {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Whether this is no error.
    #[must_use]
    pub const fn is_none(self) -> bool {
        matches!(self, Self::None)
    }
}

/// What a client is told when the kernel refuses a request about a partition.
impl From<&KernelError> for ErrorCode {
    fn from(error: &KernelError) -> Self {
        match error {
            // The log of a new partition may still be on its way to its shard: clients refresh and retry.
            KernelError::NotFound => Self::UnknownTopicOrPartition,
            KernelError::OffsetOutOfRange { .. } => Self::OffsetOutOfRange,
            KernelError::EpochFenced { .. } => Self::FencedLeaderEpoch,
            KernelError::EpochUnknown { .. } => Self::UnknownLeaderEpoch,
            KernelError::Mirrored => Self::NotLeaderOrFollower,
            KernelError::SequenceOutOfOrder { .. } => Self::OutOfOrderSequenceNumber,
            KernelError::SequenceForgotten => Self::DuplicateSequenceNumber,
            KernelError::ProducerFenced { .. } => Self::InvalidProducerEpoch,
            KernelError::ProducerUnknown => Self::UnknownProducerId,
            KernelError::TransactionUnverified { .. } | KernelError::TransactionOpen => Self::InvalidTxnState,
            KernelError::Full | KernelError::Damaged(_) | KernelError::Stopped(_) => Self::KafkaStorageError,
            // A newer owner answers elsewhere: the client looks for it as for a new leader.
            KernelError::Fenced => Self::NotLeaderOrFollower,
            KernelError::Overloaded => Self::RequestTimedOut,
            KernelError::Invalid(_) => Self::InvalidRequest,
            // Only feeds and coordinators send what these refuse.
            KernelError::MirrorConflict { .. }
            | KernelError::MirrorGap { .. }
            | KernelError::ConditionFailed => Self::UnknownServerError,
        }
    }
}

/// What a group's client is told when its coordinator could not be asked.
#[must_use]
pub fn coordinator_error(error: &KernelError) -> ErrorCode {
    match error {
        KernelError::Full
        | KernelError::Damaged(_)
        | KernelError::Stopped(_)
        | KernelError::Overloaded
        | KernelError::NotFound => ErrorCode::CoordinatorNotAvailable,
        KernelError::Fenced => ErrorCode::NotCoordinator,
        KernelError::OffsetOutOfRange { .. }
        | KernelError::EpochFenced { .. }
        | KernelError::EpochUnknown { .. }
        | KernelError::Mirrored
        | KernelError::SequenceOutOfOrder { .. }
        | KernelError::SequenceForgotten
        | KernelError::ProducerFenced { .. }
        | KernelError::ProducerUnknown
        | KernelError::TransactionUnverified { .. }
        | KernelError::TransactionOpen
        | KernelError::MirrorConflict { .. }
        | KernelError::MirrorGap { .. }
        | KernelError::ConditionFailed
        | KernelError::Invalid(_) => ErrorCode::UnknownServerError,
    }
}

/// What a producer is told about bytes that are not a batch.
impl From<BatchError> for ErrorCode {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Length(_) | BatchError::Checksum => Self::CorruptMessage,
            // The formats before version 2 are known, and no longer taken; others never were a batch.
            BatchError::Magic(0 | 1) => Self::InvalidRecord,
            BatchError::Magic(_) => Self::CorruptMessage,
            // Bytes that break off hold no batch at all, where one is wanted.
            BatchError::Incomplete | BatchError::Negative => Self::InvalidRecord,
        }
    }
}

/// What a producer is told about a batch that may not be appended.
impl From<&Fault> for ErrorCode {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::Empty
            | Fault::Count { .. }
            | Fault::Control
            | Fault::Producer
            | Fault::Record { .. }
            | Fault::OffsetDelta { .. }
            | Fault::KeyMissing { .. } => Self::InvalidRecord,
            Fault::StampedByLog | Fault::Timestamp { .. } => Self::InvalidTimestamp,
            Fault::Inflate(InflateError::Codec(_)) => Self::UnsupportedCompressionType,
            Fault::Inflate(InflateError::TooLarge { .. }) => Self::MessageTooLarge,
            Fault::Inflate(InflateError::Damaged) => Self::CorruptMessage,
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel_model::batch::RecordError;
    use kernel_model::{LogEpoch, Offset};

    use super::*;

    #[test]
    fn every_refusal_of_the_kernel_has_the_code_that_kafka_would_send() {
        let at = Offset(1);
        let epoch = LogEpoch(3);
        let table = [
            (KernelError::NotFound, 3, 15),
            (KernelError::OffsetOutOfRange { start: at, end: at }, 1, -1),
            (KernelError::EpochFenced { current: epoch }, 74, -1),
            (KernelError::EpochUnknown { current: epoch }, 75, -1),
            (KernelError::Mirrored, 6, -1),
            (KernelError::SequenceOutOfOrder { expected: 1, found: 2 }, 45, -1),
            (KernelError::SequenceForgotten, 46, -1),
            (KernelError::ProducerFenced { current: 2, found: 1 }, 47, -1),
            (KernelError::ProducerUnknown, 59, -1),
            (KernelError::TransactionUnverified { guard: at }, 48, -1),
            (KernelError::TransactionOpen, 48, -1),
            (KernelError::MirrorConflict { at }, -1, -1),
            (KernelError::MirrorGap { end: at }, -1, -1),
            (KernelError::ConditionFailed, -1, -1),
            (KernelError::Invalid("x"), 42, -1),
            (KernelError::Full, 56, 15),
            (KernelError::Fenced, 6, 16),
            (KernelError::Damaged(String::new()), 56, 15),
            (KernelError::Stopped(String::new()), 56, 15),
            (KernelError::Overloaded, 7, 15),
        ];
        for (error, partition, group) in table {
            assert_eq!(ErrorCode::from(&error).code(), partition, "{error:?}");
            assert_eq!(coordinator_error(&error).code(), group, "{error:?}");
        }
    }

    #[test]
    fn every_fault_of_a_batch_has_the_code_that_kafka_would_send() {
        let table = [
            (BatchError::Incomplete, 87),
            (BatchError::Length(1), 2),
            (BatchError::Checksum, 2),
            (BatchError::Negative, 87),
            (BatchError::Magic(0), 87),
            (BatchError::Magic(1), 87),
            (BatchError::Magic(3), 2),
            (BatchError::Magic(-1), 2),
        ];
        for (error, code) in table {
            assert_eq!(ErrorCode::from(error).code(), code, "{error:?}");
        }
    }

    #[test]
    fn every_fault_of_records_has_the_code_that_kafka_would_send() {
        let table = [
            (Fault::Empty, 87),
            (Fault::Count { count: 1, offsets: 2 }, 87),
            (Fault::Control, 87),
            (Fault::Producer, 87),
            (Fault::StampedByLog, 32),
            (Fault::Inflate(InflateError::Codec(7)), 76),
            (Fault::Inflate(InflateError::TooLarge { bytes_max: 1 }), 10),
            (Fault::Inflate(InflateError::Damaged), 2),
            (Fault::Record { index: 0, error: RecordError::Truncated }, 87),
            (Fault::OffsetDelta { index: 0, found: 2 }, 87),
            (Fault::KeyMissing { index: 0 }, 87),
            (Fault::Timestamp { index: 0, found_ms: 1 }, 32),
        ];
        for (fault, code) in table {
            assert_eq!(ErrorCode::from(&fault).code(), code, "{fault:?}");
        }
    }

    #[test]
    fn numbers_and_names_agree() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_code(code.code()), Some(*code));
        }
        assert_eq!(ErrorCode::from_code(9999), None);
    }
}
