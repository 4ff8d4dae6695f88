//! What happened, line by line, if somebody wants to know.

/// The lines of a run.
#[derive(Debug, Default)]
pub struct Trace {
    wanted: bool,
    start_ms: i64,
    lines: Vec<String>,
}

impl Trace {
    pub fn new(wanted: bool, start_ms: i64) -> Self {
        Self { wanted, start_ms, lines: Vec::new() }
    }

    /// Writes a line, if lines are wanted.
    pub fn say(&mut self, now_ms: i64, line: impl FnOnce() -> String) {
        if self.wanted {
            self.lines.push(format!("{:>9} ms  {}", now_ms - self.start_ms, line()));
        }
    }

    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
