//! Tables in Markdown.

use std::fmt;

/// A table: a head, and rows below it.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table. The first column has names, the others have figures.
    #[must_use]
    pub fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// The same table with one more row.
    #[must_use]
    pub fn with(mut self, row: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.row(row);
        self
    }

    /// Adds a row.
    pub fn row(&mut self, row: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.head.join(" | "))?;
        let marks: Vec<_> =
            (0..self.head.len()).map(|column| if column == 0 { "---" } else { "---:" }).collect();
        write!(f, "|{}|", marks.join("|"))?;
        self.rows.iter().try_for_each(|row| write!(f, "\n| {} |", row.join(" | ")))
    }
}
