//! Values that go to the database, and rows that come from it.

use super::{Result, StoreError};

/// A value given to a statement.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A text, or a null of the type text.
    Text(Option<&'a str>),
    /// An integer, or a null of the type integer.
    Integer(Option<i64>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Integer(Some(i64::from(flag)))
    }
}

/// A value read from a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// No value.
    Null,
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
}

/// A row, its cells in the order of the statement's columns.
#[derive(Clone, Debug)]
pub struct Row(Vec<Cell>);

impl Row {
    /// Makes a row of its cells.
    #[must_use]
    pub fn new(cells: Vec<Cell>) -> Self {
        Self(cells)
    }

    /// Its cells.
    pub(crate) fn cells(&self) -> &[Cell] {
        &self.0
    }

    /// The text in `column`, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the column holds another type or does not exist.
    pub fn text_opt(&self, column: usize) -> Result<Option<&str>> {
        match self.0.get(column) {
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Null) => Ok(None),
            Some(Cell::Integer(_)) | None => Err(StoreError::Corrupt(format!("column {column} is no text"))),
        }
    }

    /// The text in `column`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the column holds no text.
    pub fn text(&self, column: usize) -> Result<&str> {
        self.text_opt(column)?.ok_or_else(|| StoreError::Corrupt(format!("column {column} is null")))
    }

    /// The integer in `column`, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the column holds another type or does not exist.
    pub fn integer_opt(&self, column: usize) -> Result<Option<i64>> {
        match self.0.get(column) {
            Some(Cell::Integer(number)) => Ok(Some(*number)),
            Some(Cell::Null) => Ok(None),
            Some(Cell::Text(_)) | None => Err(StoreError::Corrupt(format!("column {column} is no integer"))),
        }
    }

    /// The integer in `column`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the column holds no integer.
    pub fn integer(&self, column: usize) -> Result<i64> {
        self.integer_opt(column)?.ok_or_else(|| StoreError::Corrupt(format!("column {column} is null")))
    }
}
