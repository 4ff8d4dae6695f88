//! JSON into flattened names, without a tree in between.
//!
//! The text comes from strangers and may be a megabyte of brackets, so it is read as a stream that stops
//! at the first limit, instead of being parsed whole and looked at afterwards.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{MalformedParams, NESTING_MAX, push};

/// Appends what a JSON object or array holds, under dotted names: members by name, items from 1.
pub(super) fn append(pairs: &mut Vec<(String, String)>, text: &[u8]) -> Result<(), MalformedParams> {
    let mut name = String::new();
    let mut json = serde_json::Deserializer::from_slice(text);
    let flatten = Flatten { pairs, name: &mut name, depth: 0 };
    flatten.deserialize(&mut json).map_err(|_| MalformedParams)?;
    json.end().map_err(|_| MalformedParams)
}

/// Reads one JSON value under the name it has so far.
struct Flatten<'a> {
    pairs: &'a mut Vec<(String, String)>,
    name: &'a mut String,
    depth: usize,
}

impl Flatten<'_> {
    fn keep<E: de::Error>(self, value: String) -> Result<(), E> {
        if self.depth == 0 {
            return Err(E::custom("neither an object nor an array"));
        }
        push(self.pairs, self.name.clone(), value).map_err(E::custom)
    }

    /// What lies one level further in, with `step` added to the name.
    fn inner(&mut self, step: &str) -> Flatten<'_> {
        if self.depth > 0 {
            self.name.push('.');
        }
        self.name.push_str(step);
        Flatten { pairs: self.pairs, name: self.name, depth: self.depth + 1 }
    }

    fn enter<E: de::Error>(&self) -> Result<(), E> {
        if self.depth < NESTING_MAX { Ok(()) } else { Err(E::custom("nested too deep")) }
    }
}

impl<'de> DeserializeSeed<'de> for Flatten<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flatten<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.keep(value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.keep(value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.keep(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.keep(value.to_string())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.keep(value.to_owned())
    }

    /// Null is absent, as an empty text is.
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.enter()?;
        let length = self.name.len();
        for number in 1_usize.. {
            let inner = self.inner(&number.to_string());
            let more = items.next_element_seed(inner)?;
            self.name.truncate(length);
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        self.enter()?;
        let length = self.name.len();
        while let Some(key) = members.next_key::<String>()? {
            members.next_value_seed(self.inner(&key))?;
            self.name.truncate(length);
        }
        Ok(())
    }
}
