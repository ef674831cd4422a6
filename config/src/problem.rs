//! One thing that is wrong with a configuration, and how it is shown.

use std::fmt;
use std::fmt::Write as _;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, and probably does not do what is wanted.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Full key (`cluster[0].listen`), empty where there is none.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Line, from 1; 0 without a place.
    pub line: usize,
    /// Column in characters, from 1; 0 without a place.
    pub column: usize,
    /// How many characters of the line it covers.
    pub width: usize,
    /// The line's text.
    pub text: String,
}

impl Problem {
    /// An error that lies nowhere in the text.
    #[must_use]
    pub fn without_place(message: String) -> Self {
        Self {
            severity: Severity::Error,
            key: String::new(),
            message,
            help: None,
            line: 0,
            column: 0,
            width: 0,
            text: String::new(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Shows problems the way compilers do: message, place, line, marker, advice.
#[must_use]
pub fn render(file: &str, problems: &[Problem]) -> String {
    let mut out = String::new();
    for problem in problems {
        // Writing into a string cannot fail.
        let _infallible = render_one(&mut out, file, problem);
    }
    out
}

fn render_one(out: &mut String, file: &str, problem: &Problem) -> fmt::Result {
    let word = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    if problem.key.is_empty() {
        writeln!(out, "{word}: {}", problem.message)?;
    } else {
        writeln!(out, "{word}: `{}`: {}", problem.key, problem.message)?;
    }
    if problem.line == 0 {
        writeln!(out, "  --> {file}")?;
    } else {
        let number = problem.line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(problem.column.saturating_sub(1));
        writeln!(out, "{margin}--> {file}:{number}:{}", problem.column)?;
        writeln!(out, "{margin} |")?;
        writeln!(out, "{number} | {}", problem.text)?;
        writeln!(out, "{margin} | {indent}{}", "^".repeat(problem.width.max(1)))?;
    }
    if let Some(help) = &problem.help {
        writeln!(out, "   = help: {help}")?;
    }
    writeln!(out)
}
