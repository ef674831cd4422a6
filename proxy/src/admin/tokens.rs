//! What callers must show, and whose it is.

use config::Secret;

/// Shortest token that is worth asking for, in bytes.
const BYTES_MIN: usize = 16;
/// Tokens that there may be.
const TOKENS_MAX: usize = 1000;

/// The tokens that are taken; without any, nobody is asked.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Vec<(Option<String>, Secret)>);

/// Whom a token that was shown belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// Nobody was asked, or the token is everybody's.
    Anybody,
    /// An operator of this name.
    Operator(String),
}

impl Tokens {
    /// One token, everybody's.
    #[must_use]
    pub fn one(token: Option<Secret>) -> Self {
        Self(token.map(|token| (None, token)).into_iter().collect())
    }

    /// Reads a file: on each line a token, or the name of an operator, a space, and a token. Empty lines and lines that
    /// begin with `#` count for nothing.
    ///
    /// # Errors
    ///
    /// In words, without what is in the file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, token) = match line.split_once(char::is_whitespace) {
                Some((name, token)) => (Some(name.to_owned()), token.trim()),
                None => (None, line),
            };
            if token.len() < BYTES_MIN || !token.chars().all(|c| c.is_ascii_graphic()) {
                return Err(format!(
                    "line {number}: a token has at least {BYTES_MIN} printable characters without spaces"
                ));
            }
            if name.as_ref().is_some_and(|name| !name.chars().all(|c| c.is_ascii_graphic())) {
                return Err(format!("line {number}: a name has printable characters only"));
            }
            tokens.push((name, Secret::new(token.to_owned())));
        }
        if tokens.is_empty() || tokens.len() > TOKENS_MAX {
            return Err(format!("holds {} tokens; 1 to {TOKENS_MAX} are taken", tokens.len()));
        }
        Ok(Self(tokens))
    }

    /// Whose token this is; `None`: nobody's. Takes the same time wherever the difference is.
    pub(super) fn judge(&self, shown: &str) -> Option<Shown> {
        if self.0.is_empty() {
            return Some(Shown::Anybody);
        }
        let mut found = None;
        for (name, token) in &self.0 {
            if equal(shown.as_bytes(), token.reveal().as_bytes()) {
                found = Some(name.clone().map_or(Shown::Anybody, Shown::Operator));
            }
        }
        found
    }

    /// Whether an operator of this name has a token, so that nobody else may go by it.
    pub(super) fn names(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known.as_deref() == Some(name))
    }
}

/// Compares without telling by its duration where the difference is.
fn equal(shown: &[u8], token: &[u8]) -> bool {
    let different = shown.iter().zip(token).fold(0, |sum, (left, right)| sum | (left ^ right));
    shown.len() == token.len() && different == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_tokens_of_everybody_and_of_operators() {
        let text = "# ours\n\n0123456789abcdef\nada   fedcba9876543210\n";
        let tokens = Tokens::parse(text).unwrap();
        assert_eq!(tokens.judge("0123456789abcdef"), Some(Shown::Anybody));
        assert_eq!(tokens.judge("fedcba9876543210"), Some(Shown::Operator("ada".to_owned())));
        assert!(tokens.names("ada") && !tokens.names("bob"));
        for wrong in ["", "ada", "fedcba9876543211", "fedcba987654321"] {
            assert_eq!(tokens.judge(wrong), None);
        }
        assert_eq!(Tokens::default().judge(""), Some(Shown::Anybody));
        for bad in ["", "# nothing\n", "short", "ada short", "ada 0123456789abcdef x"] {
            let why = Tokens::parse(bad).unwrap_err();
            assert!(!why.contains("0123456789"), "{why}");
        }
    }
}
