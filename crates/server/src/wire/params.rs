//! The parameters of a request, wherever in it they came, as one set of names and texts.
//!
//! Query, form body and JSON body become the same thing: a sorted list of unique names. What is nested
//! (a list, a list of objects, an object) has the dotted names that most clients send (`Tag.1.Key`);
//! where a client sends JSON text instead, the getters here read that too, so that a product sees one
//! shape. Nothing here knows which parameters exist.
//!
//! **An empty value is an absent one** for every getter. One client signs without its empty values, so
//! anybody could add an empty parameter to a signed request; it must not mean anything. The pair itself
//! is kept, because the others do sign it.

use std::collections::BTreeMap;
use std::fmt;

mod json;

/// How many parameters one request may have, counted as sent.
pub const PARAMETERS_MAX: usize = 200;

/// How long a name may be, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// How long a value may be, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// How deep objects and lists in JSON may lie inside each other.
pub const NESTING_MAX: usize = 8;

/// A set of parameters: unique names in byte order, each with a text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

/// A request has too many parameters, one that is too long, or a JSON body that is not an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameters are not well formed")]
pub struct MalformedParams;

/// A parameter is there, but cannot be read as what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter {name} is not valid")]
pub struct InvalidParameter {
    /// Its name as asked for; inside a structured parameter, the name of the member.
    pub name: String,
}

impl InvalidParameter {
    /// Says that the parameter `name` is not valid.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl Params {
    /// Parses a query as HTML forms are read: `+` and `%20` are blanks, text is UTF-8, and the last of
    /// several values of a name counts.
    ///
    /// # Errors
    /// [`MalformedParams`] beyond one of the limits above.
    ///
    /// Source: protocol, bytes on the wire.
    pub fn parse(query: &str) -> Result<Self, MalformedParams> {
        let mut params = Self::default();
        params.append_form(query.as_bytes())?;
        params.settle();
        Ok(params)
    }

    /// Adds the parameters of a body: a form, or a JSON object if its first character is a brace.
    ///
    /// The bytes alone decide which of the two it is. A `Content-Type` need not be signed, so it must not
    /// change what a signed body means. A name that is there already gets the body's value.
    ///
    /// # Errors
    /// [`MalformedParams`] beyond one of the limits above, query included, or for JSON that does not parse.
    pub fn merge_body(&mut self, body: &[u8]) -> Result<(), MalformedParams> {
        if body.trim_ascii_start().starts_with(b"{") {
            json::append(&mut self.pairs, body)?;
        } else {
            self.append_form(body)?;
        }
        self.settle();
        Ok(())
    }

    /// The text of a parameter.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let at = self.pairs.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()?;
        Some(self.pairs[at].1.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter as a decimal number.
    ///
    /// # Errors
    /// [`InvalidParameter`] if it is something else or out of range.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, InvalidParameter> {
        self.text(name).map(|text| text.parse().map_err(|_| InvalidParameter::new(name))).transpose()
    }

    /// A parameter as `true` or `false`, in any case: one client capitalises them.
    ///
    /// # Errors
    /// [`InvalidParameter`] if it is something else.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, InvalidParameter> {
        match self.text(name) {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(InvalidParameter::new(name)),
        }
    }

    /// A flattened list: `Name.1`, `Name.2` and so on, in the order of the numbers. Gaps are closed.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&str> {
        let mut items: Vec<(u32, &str)> = self
            .below(name)
            .filter(|(_, value)| !value.is_empty())
            .filter_map(|(rest, value)| Some((number(rest)?, value)))
            .collect();
        items.sort_by_key(|&(number, _)| number);
        items.into_iter().map(|(_, value)| value).collect()
    }

    /// A list in one text, joined with commas. Blanks around an item and empty items are dropped. Without
    /// the text, the flattened list counts.
    #[must_use]
    pub fn comma_list(&self, name: &str) -> Vec<&str> {
        let Some(text) = self.text(name) else { return self.list(name) };
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
    }

    /// A list that is documented as a JSON array in one text. A text that is no array is its only item;
    /// without it, the flattened list counts.
    ///
    /// # Errors
    /// [`InvalidParameter`] for an array that does not parse or holds more than texts, numbers and booleans.
    pub fn json_list(&self, name: &str) -> Result<Vec<String>, InvalidParameter> {
        let items = match self.text(name) {
            None => return Ok(self.list(name).into_iter().map(str::to_owned).collect()),
            Some(text) if !text.trim_start().starts_with('[') => return Ok(vec![text.to_owned()]),
            Some(text) => Self::from_json(name, text)?,
        };
        if items.pairs.iter().any(|(rest, _)| number(rest).is_none()) {
            return Err(InvalidParameter::new(name));
        }
        // The names of the items are bare numbers, which sort as text; put `10` behind `2` again.
        let mut numbered = items.pairs;
        numbered.sort_by_key(|(rest, _)| number(rest));
        Ok(numbered.into_iter().map(|(_, value)| value).filter(|value| !value.is_empty()).collect())
    }

    /// A structured parameter, as JSON text (`{"Size": 20}`), flattened (`Name.Size=20`), or both, in
    /// which case the flattened members count. Nothing, if no member has a value.
    ///
    /// # Errors
    /// [`InvalidParameter`] for a text that is not a JSON object.
    pub fn structure(&self, name: &str) -> Result<Option<Self>, InvalidParameter> {
        let mut members = match self.text(name) {
            None => Self::default(),
            Some(text) if !text.trim_start().starts_with('{') => return Err(InvalidParameter::new(name)),
            Some(text) => Self::from_json(name, text)?,
        };
        members.pairs.extend(self.below(name).map(|(rest, value)| (rest.to_owned(), value.to_owned())));
        members.settle();
        Ok(Some(members).filter(Self::has_values))
    }

    /// A list of structured parameters, as JSON text (an array of objects, or a single object), flattened
    /// (`Name.1.Key`), or both. In the order of the numbers; gaps are closed, and so is an object without
    /// a value.
    ///
    /// # Errors
    /// [`InvalidParameter`] for a text that is neither, and for an item that is not an object.
    pub fn objects(&self, name: &str) -> Result<Vec<Self>, InvalidParameter> {
        let mut json = match self.text(name) {
            None => Self::default(),
            Some(text) => Self::from_json(name, text)?,
        };
        if self.text(name).is_some_and(|text| text.trim_start().starts_with('{')) {
            json.pairs.iter_mut().for_each(|(member, _)| member.insert_str(0, "1."));
        }
        let mut objects: BTreeMap<u32, Self> = BTreeMap::new();
        let both = json.iter().chain(self.below(name)).filter(|(_, value)| !value.is_empty());
        for (rest, value) in both {
            match rest.split_once('.') {
                Some((item, member)) => {
                    let Some(item) = number(item) else { continue };
                    objects.entry(item).or_default().pairs.push((member.to_owned(), value.to_owned()));
                }
                None if number(rest).is_some() => return Err(InvalidParameter::new(name)),
                None => {}
            }
        }
        let settled = objects.into_values().map(|mut object| {
            object.settle();
            object
        });
        Ok(settled.collect())
    }

    /// All pairs in byte order of their names, those with an empty value included.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The flattened names below `name`, without it and its dot.
    fn below<'s>(&'s self, name: &str) -> impl Iterator<Item = (&'s str, &'s str)> {
        let start = self.pairs.partition_point(|(other, _)| other.as_str() < name);
        self.pairs[start..]
            .iter()
            .take_while(move |(other, _)| other.starts_with(name))
            .filter_map(move |(other, value)| Some((other[name.len()..].strip_prefix('.')?, value.as_str())))
    }

    fn has_values(&self) -> bool {
        self.pairs.iter().any(|(_, value)| !value.is_empty())
    }

    fn append_form(&mut self, form: &[u8]) -> Result<(), MalformedParams> {
        for (name, value) in form_urlencoded::parse(form) {
            push(&mut self.pairs, name.into_owned(), value.into_owned())?;
        }
        Ok(())
    }

    /// Reads JSON text: members of an object under their names, items of an array under their numbers.
    fn from_json(name: &str, text: &str) -> Result<Self, InvalidParameter> {
        let mut params = Self::default();
        json::append(&mut params.pairs, text.as_bytes()).map_err(|_| InvalidParameter::new(name))?;
        params.settle();
        Ok(params)
    }

    /// Sorts by name and keeps the last of equal names.
    fn settle(&mut self) {
        self.pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.pairs.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(&mut later.1, &mut kept.1);
            }
            same
        });
    }
}

/// Takes pairs that this service made itself: no limit applies.
impl FromIterator<(String, String)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        let mut params = Self { pairs: pairs.into_iter().collect() };
        params.settle();
        params
    }
}

/// Prints names and values, except the values that let somebody in.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value)| if is_sensitive(name) { (name, "..") } else { (name, value) };
        f.debug_map().entries(self.iter().map(shown)).finish()
    }
}

fn is_sensitive(name: &str) -> bool {
    name == "Signature" || ["Token", "Password", "Secret"].iter().any(|part| name.contains(part))
}

/// Appends one pair, as long as the limits allow it.
fn push(pairs: &mut Vec<(String, String)>, name: String, value: String) -> Result<(), MalformedParams> {
    if pairs.len() >= PARAMETERS_MAX || name.len() > NAME_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
        return Err(MalformedParams);
    }
    pairs.push((name, value));
    Ok(())
}

/// The number of an item in a flattened list.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
