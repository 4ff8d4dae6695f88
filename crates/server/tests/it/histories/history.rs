//! What was asked and answered about one image, in the order in which it was, and whether it can be so.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use calotype_core::image::Product;

use super::spec::{By, Call, Image, Op, Ret, Token};

/// One client's line of calls, each after the answer to the one before.
pub type Line = usize;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call was made.
    Asked(Line, Call),
    /// It was answered.
    Answered(Line, Ret),
}

/// What happened to one image.
#[derive(Clone, Debug)]
pub struct History {
    /// The product whose image it is.
    pub product: Product,
    /// In the order of time.
    pub events: Vec<Event>,
}

/// A call, from one event to another.
struct Interval {
    call: Call,
    asked: usize,
    answered: Option<(usize, Ret)>,
}

/// A call that was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The call.
    pub call: Call,
    /// Where among the events it was asked.
    pub from: usize,
    /// Where it was answered.
    pub to: usize,
    /// What.
    pub ret: Ret,
}

impl History {
    /// Whether the calls could have been done one after the other, each between its being asked and being
    /// answered, with these answers.
    ///
    /// Searches the orders, but what was done in another order with the same end only once.
    pub fn is_linearizable(&self) -> bool {
        let calls = self.calls();
        assert!(calls.len() <= 64, "a set of calls is 64 bits");
        let mut ahead = vec![(0_u64, Image::new(self.product))];
        let mut met: HashSet<(u64, Image)> = HashSet::new();
        while let Some((done, image)) = ahead.pop() {
            let left = || (0..calls.len()).filter(|number| done >> number & 1 == 0);
            // Whatever was asked after this was answered comes behind it.
            let answered = |number: usize| calls[number].answered.as_ref().map(|(place, _)| *place);
            let Some(first_answered) = left().filter_map(answered).min() else {
                return true;
            };
            for number in left().filter(|number| calls[*number].asked < first_answered) {
                let mut next = image.clone();
                let ret = next.answer(&calls[number].call);
                let reached = (done | 1 << number, next);
                let told = calls[number].answered.as_ref();
                if told.is_none_or(|(_, told)| *told == ret) && met.insert(reached.clone()) {
                    ahead.push(reached);
                }
            }
        }
        false
    }

    /// The calls, in the order in which they were asked.
    fn calls(&self) -> Vec<Interval> {
        let mut calls: Vec<Interval> = Vec::new();
        let mut last: BTreeMap<Line, usize> = BTreeMap::new();
        for (place, event) in self.events.iter().enumerate() {
            match event {
                Event::Asked(line, call) => {
                    last.insert(*line, calls.len());
                    calls.push(Interval { call: *call, asked: place, answered: None });
                }
                Event::Answered(line, ret) => {
                    calls[last[line]].answered = Some((place, ret.clone()));
                }
            }
        }
        calls
    }

    /// The calls that were answered.
    pub fn answered(&self) -> Vec<Answered> {
        let answered = |one: Interval| {
            let (to, ret) = one.answered?;
            Some(Answered { call: one.call, from: one.asked, to, ret })
        };
        self.calls().into_iter().filter_map(answered).collect()
    }

    /// How many calls had no answer.
    pub fn open(&self) -> usize {
        self.calls().iter().filter(|call| call.answered.is_none()).count()
    }

    /// The same with another answer at this place.
    pub fn with_answer(&self, place: usize, ret: Ret) -> Self {
        let mut changed = self.clone();
        let Event::Answered(_, told) = &mut changed.events[place] else { panic!("no answer at {place}") };
        *told = ret;
        changed
    }

    /// The events, a line each.
    pub fn print(&self) -> String {
        let event = |event: &Event| match event {
            Event::Asked(line, call) => format!("  {line} asks {:?} as {:?}\n", call.op, call.by),
            Event::Answered(line, ret) => format!("  {line} is told {ret:?}\n"),
        };
        self.events.iter().map(event).collect()
    }
}

/// An image that is called about, and the history that comes of it.
pub struct Stage {
    /// The product whose image it is.
    pub product: Product,
    /// Its id.
    pub image: String,
    events: Mutex<Vec<Event>>,
    made: Mutex<BTreeMap<Token, (By, String)>>,
    tokens: AtomicU32,
}

impl Stage {
    /// A live image that nobody has called about.
    pub fn new(product: Product, image: String) -> Self {
        let (events, made) = (Mutex::default(), Mutex::default());
        Self { product, image, events, made, tokens: AtomicU32::new(1) }
    }

    /// Notes that a call is made, before it is.
    pub fn asked(&self, line: Line, call: Call) {
        self.events.lock().unwrap().push(Event::Asked(line, call));
    }

    /// Notes an answer, and the id of what was made.
    pub fn answered(&self, line: Line, call: Call, ret: Ret, made: Option<String>) {
        if let (Op::Use(token) | Op::Template(token), Some(id)) = (call.op, made) {
            self.made.lock().unwrap().insert(token, (call.by, id));
        }
        self.events.lock().unwrap().push(Event::Answered(line, ret));
    }

    /// A name that nothing else has.
    pub fn token(&self) -> Token {
        self.tokens.fetch_add(1, Ordering::Relaxed)
    }

    /// What an account has made, whether it is still there or not: by name and id.
    pub fn made_by(&self, by: By) -> Vec<(Token, String)> {
        let made = self.made.lock().unwrap();
        made.iter().filter(|(_, made)| made.0 == by).map(|(token, made)| (*token, made.1.clone())).collect()
    }

    /// The id of what was made under this name.
    pub fn id(&self, token: Token) -> String {
        self.made.lock().unwrap()[&token].1.clone()
    }

    /// What happened.
    pub fn history(&self) -> History {
        History { product: self.product, events: self.events.lock().unwrap().clone() }
    }
}
