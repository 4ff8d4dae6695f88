//! Values that go to the database, and rows that come from it.

use std::fmt;
use std::ops::Range;

use super::{Result, StoreError};

/// Bytes of a text, about.
const TEXT_BYTES: usize = 12;

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

/// A row, its cells in the order of the statement's columns. All its texts are kept in one.
#[derive(Clone, Default)]
pub struct Row {
    texts: String,
    places: Vec<Place>,
}

/// Where a cell is.
#[derive(Clone, Debug)]
enum Place {
    Null,
    Integer(i64),
    Text(Range<usize>),
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Row").field(&self.cells()).finish()
    }
}

impl Row {
    /// An empty row, for so many cells.
    pub(crate) fn with_capacity(cells: usize) -> Self {
        Self { texts: String::with_capacity(cells * TEXT_BYTES), places: Vec::with_capacity(cells) }
    }

    /// Adds a cell without a value.
    pub(crate) fn push_null(&mut self) {
        self.places.push(Place::Null);
    }

    /// Adds an integer.
    pub(crate) fn push_integer(&mut self, number: i64) {
        self.places.push(Place::Integer(number));
    }

    /// Adds a text.
    pub(crate) fn push_text(&mut self, text: &str) {
        let start = self.texts.len();
        self.texts.push_str(text);
        self.places.push(Place::Text(start..self.texts.len()));
    }

    /// Its cells.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        let cell = |place: &Place| match place {
            Place::Null => Cell::Null,
            Place::Integer(number) => Cell::Integer(*number),
            Place::Text(range) => Cell::Text(self.texts[range.clone()].to_owned()),
        };
        self.places.iter().map(cell).collect()
    }

    /// The text in `column`, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the column holds another type or does not exist.
    pub fn text_opt(&self, column: usize) -> Result<Option<&str>> {
        match self.places.get(column) {
            Some(Place::Text(range)) => Ok(Some(&self.texts[range.clone()])),
            Some(Place::Null) => Ok(None),
            Some(Place::Integer(_)) | None => Err(StoreError::Corrupt(format!("column {column} is no text"))),
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
        match self.places.get(column) {
            Some(Place::Integer(number)) => Ok(Some(*number)),
            Some(Place::Null) => Ok(None),
            Some(Place::Text(_)) | None => Err(StoreError::Corrupt(format!("column {column} is no integer"))),
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
