//! Which APIs and versions a client is told of: what legacy offers and we know, and on the kernel's node
//! nothing that it would have to own and lacks.

use crate::codec::messages::ApiVersionsResponse;
use crate::codec::{APIS, ApiKey};

/// APIs about partitions or groups that the kernel does not serve yet: on its node they are not offered.
const KERNEL_LACKS: &[ApiKey] = &[
    ApiKey::ShareGroupHeartbeat,
    ApiKey::ShareGroupDescribe,
    ApiKey::ShareFetch,
    ApiKey::ShareAcknowledge,
    ApiKey::DescribeShareGroupOffsets,
    ApiKey::AlterShareGroupOffsets,
    ApiKey::DeleteShareGroupOffsets,
    ApiKey::StreamsGroupHeartbeat,
    ApiKey::StreamsGroupDescribe,
    ApiKey::WriteTxnMarkers,
];

/// Narrows what legacy offers to what both sides know.
pub(super) fn restrict(answer: &mut ApiVersionsResponse, at_kernel_node: bool) {
    answer.api_keys.retain_mut(|offered| {
        let Some(api) = ApiKey::from_code(offered.api_key) else { return false };
        let Some(known) = APIS.iter().find(|known| known.key == api) else { return false };
        if !known.on_broker || (at_kernel_node && KERNEL_LACKS.contains(&api)) {
            return false;
        }
        offered.min_version = offered.min_version.max(known.version_min);
        offered.max_version = offered.max_version.min(known.version_stable_max);
        let common = offered.min_version <= offered.max_version;
        if api == ApiKey::Produce {
            // librdkafka takes compression for unsupported unless version 0 is offered, although no broker
            // accepts it any more (KAFKA-18659).
            offered.min_version = 0;
        }
        if api == ApiKey::SaslHandshake {
            // Version 0 is followed by tokens without Kafka's framing.
            offered.min_version = 1;
        }
        common
    });
}
