//! One connection to a legacy broker, as a client: version negotiation, authentication, requests and their
//! answers in order. Performs no IO.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use kernel_model::Now;
use translator_kafka::codec::messages::{
    ApiVersionsRequest, ApiVersionsResponse, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use translator_kafka::codec::{ApiKey, Request, Response, Str, frame};

/// Largest answer taken from legacy: a fetch is bounded by its own request, the rest is far smaller.
pub const ANSWER_BYTES_MAX: u32 = 128 << 20;
/// Longest wait for an answer, on top of what the request itself may wait.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// How the link shows who it is.
#[derive(Clone)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password; never shown.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why a link ended. The feed reconnects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Legacy's bytes are not its protocol.
    #[error("legacy broke the protocol: {0}")]
    Protocol(String),
    /// Legacy refused the link's credentials.
    #[error("legacy refused the link's credentials: {0}")]
    Refused(String),
    /// Legacy offers no version of this API that we know.
    #[error("legacy offers no version of {0} that is known here")]
    NoVersion(&'static str),
    /// No answer in time.
    #[error("legacy did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// An answer, with the tag of its request.
#[derive(Debug)]
pub struct Answer<T> {
    /// What its request was for.
    pub tag: T,
    /// Version of request and answer.
    pub version: i16,
    /// Without the size prefix.
    frame: Bytes,
}

impl<T> Answer<T> {
    /// Decodes the answer.
    ///
    /// # Errors
    ///
    /// [`LinkError::Protocol`]: it is not what was asked for.
    pub fn decode<R: Response>(&self) -> Result<R, LinkError> {
        let (_, reader) =
            frame::read_response_header(self.frame.clone(), R::API, self.version).map_err(protocol)?;
        R::decode_rest(reader, self.version).map_err(protocol)
    }
}

/// Longest text of legacy that is handed on, in characters.
const WORDS_CHARS_MAX: usize = 300;

/// What a broker says, fit for a log line: at most so long, and on one line.
pub(crate) fn plain_words(words: &str) -> String {
    words.chars().take(WORDS_CHARS_MAX).map(|char| if char.is_control() { ' ' } else { char }).collect()
}

fn protocol(error: impl std::fmt::Display) -> LinkError {
    LinkError::Protocol(error.to_string())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Versions,
    Handshake,
    Authenticate,
    Ready,
}

struct Owed<T> {
    correlation: i32,
    version: i16,
    tag: Option<T>,
    deadline: Duration,
}

/// One connection. `T` tags requests.
pub struct Link<T> {
    stage: Stage,
    credentials: Option<Credentials>,
    versions: BTreeMap<i16, (i16, i16)>,
    owed: VecDeque<Owed<T>>,
    next_correlation: i32,
    transmit: VecDeque<Bytes>,
}

impl<T> Link<T> {
    /// A connection about to be made.
    #[must_use]
    pub fn new(credentials: Option<Credentials>) -> Self {
        Self {
            stage: Stage::Connecting,
            credentials,
            versions: BTreeMap::new(),
            owed: VecDeque::new(),
            next_correlation: 0,
            transmit: VecDeque::new(),
        }
    }

    /// Whether requests can be sent.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// The versions that legacy offers.
    pub(crate) fn versions(&self) -> &BTreeMap<i16, (i16, i16)> {
        &self.versions
    }

    /// The connection stands.
    ///
    /// # Errors
    ///
    /// [`LinkError`]: the connection is of no use any more.
    pub fn connected(&mut self, now: Now) -> Result<(), LinkError> {
        self.stage = Stage::Versions;
        self.send(now, 0, &ApiVersionsRequest::default(), None, Duration::ZERO)
    }

    /// The version to use of an API: the newest that both know.
    ///
    /// # Errors
    ///
    /// [`LinkError::NoVersion`]: there is none.
    pub fn version_of(&self, api: ApiKey) -> Result<i16, LinkError> {
        let spec = api.spec();
        let (min, max) = self.versions.get(&api.code()).copied().unwrap_or((0, -1));
        let version = max.min(spec.version_stable_max);
        if version < min.max(spec.version_min) { Err(LinkError::NoVersion(spec.name)) } else { Ok(version) }
    }

    /// Sends a request in this version; `patience` is what the request itself may take.
    ///
    /// # Errors
    ///
    /// [`LinkError`]: the connection is of no use any more.
    pub fn call<R: Request>(
        &mut self,
        now: Now,
        version: i16,
        request: &R,
        tag: T,
        patience: Duration,
    ) -> Result<(), LinkError> {
        self.send(now, version, request, Some(tag), patience)
    }

    fn send<R: Request>(
        &mut self,
        now: Now,
        version: i16,
        request: &R,
        tag: Option<T>,
        patience: Duration,
    ) -> Result<(), LinkError> {
        let correlation = self.next_correlation;
        self.next_correlation = correlation.checked_add(1).unwrap_or(0);
        let whole = frame::request_frame(version, correlation, Some(Str::from_static("sluice")), request)
            .map_err(protocol)?;
        let deadline = now.deadline(ANSWER_WAIT + patience);
        self.owed.push_back(Owed { correlation, version, tag, deadline });
        self.transmit.push_back(whole);
        Ok(())
    }

    /// Takes the next answer from `input`; the handshake's own answers are dealt with here.
    ///
    /// # Errors
    ///
    /// [`LinkError`]: the connection is of no use any more.
    pub fn take(&mut self, now: Now, input: &mut BytesMut) -> Result<Option<Answer<T>>, LinkError> {
        while let Some(frame) = frame::take_frame_mut(input, ANSWER_BYTES_MAX).map_err(protocol)? {
            let correlation = frame.first_chunk().copied().map(i32::from_be_bytes);
            let owed = self.owed.pop_front().filter(|owed| Some(owed.correlation) == correlation);
            let owed = owed.ok_or_else(|| protocol("an answer that nobody asked for"))?;
            match owed.tag {
                Some(tag) => return Ok(Some(Answer { tag, version: owed.version, frame })),
                None => self.shake_hands(now, owed.version, frame)?,
            }
        }
        Ok(None)
    }

    fn shake_hands(&mut self, now: Now, version: i16, frame: Bytes) -> Result<(), LinkError> {
        let answer = Answer { tag: (), version, frame };
        match self.stage {
            Stage::Versions => {
                let offered: ApiVersionsResponse = answer.decode()?;
                self.versions = offered
                    .api_keys
                    .iter()
                    .map(|api| (api.api_key, (api.min_version, api.max_version)))
                    .collect();
                if self.credentials.is_none() {
                    self.stage = Stage::Ready;
                    return Ok(());
                }
                self.stage = Stage::Handshake;
                let hello = SaslHandshakeRequest { mechanism: "PLAIN".into() };
                self.send(now, 1, &hello, None, Duration::ZERO)
            }
            Stage::Handshake => {
                let hello: SaslHandshakeResponse = answer.decode()?;
                if hello.error_code != 0 {
                    return Err(LinkError::Refused("it does not offer PLAIN".to_owned()));
                }
                self.stage = Stage::Authenticate;
                let credentials = self
                    .credentials
                    .clone()
                    .unwrap_or(Credentials { user: String::new(), password: String::new() });
                let auth_bytes = format!("\0{}\0{}", credentials.user, credentials.password);
                let login = SaslAuthenticateRequest { auth_bytes: auth_bytes.into(), ..Default::default() };
                self.send(now, 1, &login, None, Duration::ZERO)
            }
            Stage::Authenticate => {
                let login: SaslAuthenticateResponse = answer.decode()?;
                if login.error_code != 0 {
                    let reason = login.error_message.as_deref().unwrap_or_default();
                    return Err(LinkError::Refused(self.quoted(reason)));
                }
                self.stage = Stage::Ready;
                Ok(())
            }
            Stage::Connecting | Stage::Ready => Err(protocol("an answer out of order")),
        }
    }

    /// Legacy's own words, fit for a log line: short, on one line, and without the password, should legacy repeat it.
    fn quoted(&self, words: &str) -> String {
        let password = self.credentials.as_ref().map(|each| each.password.as_str()).unwrap_or_default();
        let words = if password.is_empty() { words.to_owned() } else { words.replace(password, "***") };
        plain_words(&words)
    }

    /// Fails once an answer is overdue.
    pub(crate) fn check_deadline(&self, now: Now) -> Result<(), LinkError> {
        match self.owed.front() {
            Some(owed) if owed.deadline <= now.elapsed => Err(LinkError::TimedOut(ANSWER_WAIT)),
            _ => Ok(()),
        }
    }

    /// When `check_deadline` is next due.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.owed.front().map(|owed| owed.deadline)
    }

    /// Next bytes for legacy.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmit.pop_front().filter(|bytes| bytes.has_remaining())
    }
}
