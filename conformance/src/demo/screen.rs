//! What is shown while the demo runs: a panel of a few lines on a terminal, one line a change elsewhere.

use std::io::{IsTerminal, Write};

/// Where progress goes.
#[derive(Debug)]
enum Way {
    /// A panel on standard output, drawn over itself.
    Panel { drawn: usize },
    /// Lines on standard output.
    Lines,
    /// Lines on standard error: standard output is for one object.
    Aside,
}

/// What the panel shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct View {
    pub(super) phase: String,
    pub(super) doing: String,
    pub(super) acknowledged: u64,
    pub(super) per_second: u64,
    /// By group: acknowledged values not read yet.
    pub(super) unread: Vec<(String, u64)>,
    pub(super) fence_ms: u64,
    pub(super) lag: Option<u64>,
    pub(super) gate: String,
    pub(super) client_errors: u64,
}

/// Shows progress.
#[derive(Debug)]
pub(super) struct Screen {
    way: Way,
}

impl Screen {
    /// For a person or for a machine.
    pub(super) fn new(json: bool) -> Self {
        let way = match (json, std::io::stdout().is_terminal()) {
            (true, _) => Way::Aside,
            (false, true) => Way::Panel { drawn: 0 },
            (false, false) => Way::Lines,
        };
        Self { way }
    }

    /// A line that stays.
    pub(super) fn tell(&mut self, line: &str) {
        self.clear();
        // Nobody who could be told that nobody listens.
        let _unheard = match self.way {
            Way::Panel { .. } | Way::Lines => writeln!(std::io::stdout(), "{line}"),
            Way::Aside => writeln!(std::io::stderr(), "{line}"),
        };
    }

    /// Draws the panel anew, where there is one.
    pub(super) fn draw(&mut self, view: &View) {
        if !matches!(self.way, Way::Panel { .. }) {
            return;
        }
        self.clear();
        let lines = panel(view);
        let mut out = std::io::stdout().lock();
        for line in &lines {
            let _unheard = writeln!(out, "{line}");
        }
        let _unheard = out.flush();
        self.way = Way::Panel { drawn: lines.len() };
    }

    /// Takes the panel away.
    pub(super) fn clear(&mut self) {
        if let Way::Panel { drawn } = &mut self.way
            && *drawn > 0
        {
            // Up by so many lines, and everything below is erased.
            let _unheard = write!(std::io::stdout(), "\x1b[{drawn}A\x1b[J");
            *drawn = 0;
        }
    }
}

fn panel(view: &View) -> Vec<String> {
    let unread: Vec<String> = view.unread.iter().map(|(group, count)| format!("{group} {count}")).collect();
    let lag = view.lag.map_or_else(|| "no feed".to_owned(), |lag| format!("{lag} records behind"));
    vec![
        String::new(),
        format!("  phase          {:<12} {}", view.phase, view.doing),
        format!("  acknowledged   {:<12} {} a second", view.acknowledged, view.per_second),
        format!("  to be read     {}", unread.join("   ")),
        format!("  kernel         {lag}"),
        format!("  gate           {}", view.gate),
        format!("  longest fence  {} ms      client errors {}", view.fence_ms, view.client_errors),
    ]
}
