//! What is special about one run: everything that its seed decides ahead.

use crate::dice::Dice;
use crate::scheduler::Order;

/// How a run goes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How far the clock of each server is ahead of the slowest one's, in milliseconds.
    pub skews_ms: Vec<i64>,
    /// The regions; the first is the default.
    pub regions: Vec<String>,
    pub grace_ms: i64,
    pub image_ms: i64,
    pub instance_ms: i64,
    /// Requests in all, before everything is brought to rest.
    pub requests: usize,
    /// Requests that are open at the same time.
    pub open_max: usize,
    /// Whose step comes next.
    pub order: Order,
    /// Of a thousand statements, how many are steps of their own.
    pub statements_permille: u64,
    /// How often each kind of turn is taken, against the others.
    pub weights: Weights,
    /// How often each group of requests comes, against the others.
    pub requests_by_kind: [u64; 4],
    /// Whether the power is cut once more when everything works again.
    pub power_cut_at_the_end: bool,
    /// Whether everything is deleted in the end.
    pub cleared_at_the_end: bool,
}

/// How often each kind of turn is taken, against the others.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    pub step: u64,
    pub request: u64,
    pub work: u64,
    pub time: u64,
    pub weather: u64,
    pub kill: u64,
    pub power: u64,
    pub pause: u64,
}

impl Plan {
    pub fn roll(dice: &mut Dice) -> Self {
        let servers = 1 + dice.place(3);
        let regions = 2 + dice.place(2);
        let some = |dice: &mut Dice, of: &[u64]| dice.pick(of).copied().unwrap_or(0);
        let millis = |dice: &mut Dice, of: &[u64]| i64::try_from(some(dice, of)).unwrap_or(0);
        Self {
            skews_ms: (0..servers).map(|_| millis(dice, &[0, 0, 20, 3_000])).collect(),
            regions: (1..=regions).map(|number| format!("cn-region-{number}")).collect(),
            grace_ms: millis(dice, &[0, 0, 0, 30_000, 400_000]),
            image_ms: millis(dice, &[0, 0, 1_500, 20_000]),
            instance_ms: millis(dice, &[0, 0, 800]),
            requests: 10 + dice.place(30),
            open_max: 1 + dice.place(6),
            order: *dice.pick(&[Order::Any, Order::Sticky, Order::Ranked]).unwrap_or(&Order::Any),
            statements_permille: some(dice, &[0, 0, 50, 300]),
            weights: Weights {
                step: 100,
                request: some(dice, &[15, 60, 200]),
                work: some(dice, &[8, 20, 50]),
                time: some(dice, &[1, 3, 8]),
                weather: some(dice, &[0, 1, 3]),
                kill: some(dice, &[0, 2, 6]),
                power: some(dice, &[0, 0, 1, 2]),
                pause: some(dice, &[0, 2, 5]),
            },
            requests_by_kind: [(); 4].map(|()| some(dice, &[1, 2, 4])),
            power_cut_at_the_end: dice.permille(300),
            cleared_at_the_end: dice.permille(150),
        }
    }
}
