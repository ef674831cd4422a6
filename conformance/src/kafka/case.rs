//! One request, in each version that it has, and what is documented as its answer.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;

use super::scene::{Given, Scene};
use super::wire::Ask;

/// What is documented as the answer of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// No error code.
    Success,
    /// This error code, somewhere in the answer.
    Error(ResponseError),
    /// Success or this error, by the endpoint's settings.
    Optional(ResponseError),
    /// Not one answer is documented; whatever comes is compared.
    Compared,
}

impl Expect {
    /// In words.
    pub(super) fn words(self) -> String {
        match self {
            Self::Success => "success".to_owned(),
            Self::Error(error) => error_name(error.code()),
            Self::Optional(error) => format!("success or {}", error_name(error.code())),
            Self::Compared => "as the reference".to_owned(),
        }
    }

    /// Whether an answer with these error codes is as documented; `None` stands for a closed connection.
    pub(super) fn fits(self, errors: Option<&[i16]>) -> bool {
        match (self, errors) {
            (Self::Compared, _) => true,
            (_, None) => false,
            (Self::Success, Some(errors)) => errors.is_empty(),
            (Self::Error(error), Some(errors)) => errors.contains(&error.code()),
            (Self::Optional(error), Some(errors)) => errors.iter().all(|code| *code == error.code()),
        }
    }
}

/// Builds the request; the version is given where a field exists in some versions alone.
pub(super) type Build = fn(&Scene, i16) -> Box<dyn Ask>;

/// A row of the table of cases.
#[derive(Clone, Copy)]
pub(super) struct Case {
    /// API.
    pub(super) api: ApiKey,
    /// Oldest and newest version in which it is asked.
    pub(super) versions: (i16, i16),
    /// What is asked, in words; unique within the API.
    pub(super) name: &'static str,
    /// What has to be there before.
    pub(super) given: Given,
    /// What is documented.
    pub(super) expect: Expect,
    /// The request.
    pub(super) build: Build,
}

/// A row of the table.
pub(super) const fn case(
    api: ApiKey,
    versions: (i16, i16),
    name: &'static str,
    given: Given,
    expect: Expect,
    build: Build,
) -> Case {
    Case { api, versions, name, given, expect, build }
}

/// The API of several rows.
pub(super) struct Of(pub(super) ApiKey);

impl Of {
    /// A row of the table.
    pub(super) const fn case(
        &self,
        versions: (i16, i16),
        name: &'static str,
        given: Given,
        expect: Expect,
        build: Build,
    ) -> Case {
        case(self.0, versions, name, given, expect, build)
    }
}

/// The protocol's name of an error code: `UNKNOWN_TOPIC_OR_PARTITION`.
pub(super) fn error_name(code: i16) -> String {
    let Some(error) = ResponseError::try_from_code(code) else { return "NONE".to_owned() };
    let mut name = String::new();
    for letter in format!("{error:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_fits_only_what_is_documented() {
        let error = ResponseError::OffsetOutOfRange;
        assert!(Expect::Success.fits(Some(&[])));
        assert!(!Expect::Success.fits(Some(&[1])));
        assert!(!Expect::Success.fits(None));
        assert!(Expect::Error(error).fits(Some(&[3, 1])));
        assert!(!Expect::Error(error).fits(Some(&[])));
        assert!(Expect::Optional(error).fits(Some(&[])) && Expect::Optional(error).fits(Some(&[1])));
        assert!(!Expect::Optional(error).fits(Some(&[2])));
        assert!(Expect::Compared.fits(None) && Expect::Compared.fits(Some(&[3])));
        assert_eq!(error_name(1), "OFFSET_OUT_OF_RANGE");
        assert_eq!(error_name(0), "NONE");
    }
}
