//! Questions to the database, which can go out together.

use super::{Result, Row, Value};

type Read<'a, T> = Box<dyn FnOnce(Result<Vec<Row>>) -> Result<T> + Send + 'a>;

/// A statement that reads, its values, and what its rows say.
///
/// Asked by [`super::Tx::ask`]: one, or several in a tuple. Those of a tuple travel to the database together and
/// run in their order.
#[must_use = "nothing is asked yet"]
pub struct Query<'a, T> {
    sql: &'static str,
    values: Vec<Value<'a>>,
    read: Read<'a, T>,
}

impl<'a, T: 'a> Query<'a, T> {
    /// A question whose answer `read` finds in the rows.
    pub fn new(
        sql: &'static str,
        values: &[Value<'a>],
        read: impl FnOnce(&[Row]) -> Result<T> + Send + 'a,
    ) -> Self {
        Self { sql, values: values.to_vec(), read: Box::new(|rows| read(&rows?)) }
    }

    /// The same question, whose failure is an answer, too. Must be the last of those that are asked together:
    /// what runs after a failure fails with it.
    pub fn attempt(self) -> Query<'a, Result<T>> {
        let read = self.read;
        Query { sql: self.sql, values: self.values, read: Box::new(|rows| Ok(read(rows))) }
    }
}

/// Something that can be asked for in one go: a query, perhaps one, or a tuple of such.
pub trait Ask: Sized {
    /// What is said to it.
    type Answer;

    /// Adds its statements to those that go out.
    fn statements<'s>(&'s self, all: &mut Vec<(&'static str, &'s [Value<'s>])>);

    /// Reads its answer from those that came back, in the order of the statements.
    ///
    /// # Errors
    /// Any [`super::StoreError`], the first of several.
    fn read(self, answers: &mut dyn Iterator<Item = Result<Vec<Row>>>) -> Result<Self::Answer>;
}

impl<T> Ask for Query<'_, T> {
    type Answer = T;

    fn statements<'s>(&'s self, all: &mut Vec<(&'static str, &'s [Value<'s>])>) {
        all.push((self.sql, &self.values));
    }

    fn read(self, answers: &mut dyn Iterator<Item = Result<Vec<Row>>>) -> Result<T> {
        (self.read)(answers.next().unwrap_or_else(|| Ok(Vec::new())))
    }
}

impl<A: Ask> Ask for Option<A> {
    type Answer = Option<A::Answer>;

    fn statements<'s>(&'s self, all: &mut Vec<(&'static str, &'s [Value<'s>])>) {
        if let Some(query) = self {
            query.statements(all);
        }
    }

    fn read(self, answers: &mut dyn Iterator<Item = Result<Vec<Row>>>) -> Result<Self::Answer> {
        self.map(|query| query.read(answers)).transpose()
    }
}

macro_rules! ask_together {
    ($($query:ident $place:tt),+) => {
        impl<$($query: Ask),+> Ask for ($($query,)+) {
            type Answer = ($($query::Answer,)+);

            fn statements<'s>(&'s self, all: &mut Vec<(&'static str, &'s [Value<'s>])>) {
                $(self.$place.statements(all);)+
            }

            fn read(self, answers: &mut dyn Iterator<Item = Result<Vec<Row>>>) -> Result<Self::Answer> {
                Ok(($(self.$place.read(answers)?,)+))
            }
        }
    };
}

ask_together!(A 0, B 1);
ask_together!(A 0, B 1, C 2);
ask_together!(A 0, B 1, C 2, D 3);
