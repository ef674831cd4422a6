//! What a client asks first: versions, metadata, coordinators, the cluster.

use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};

use super::super::case::{Case, Expect, case};
use super::super::scene::{Given, word};

pub(super) const CASES: &[Case] = &[case(
    ApiKey::ApiVersions,
    (0, 4),
    "versions are told",
    Given::Nothing,
    Expect::Success,
    |_, version| {
        let request = ApiVersionsRequest::default();
        if version < 3 {
            return Box::new(request);
        }
        let named = request.with_client_software_name(word("conformance"));
        Box::new(named.with_client_software_version(word("1.0")))
    },
)];
