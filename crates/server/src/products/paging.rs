//! Pages of listings, asked for in the same way by every product.

use crate::wire::params::{InvalidParameter, Params};

/// A page of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    /// Its number, from 1.
    pub number: i64,
    /// Things on a page.
    pub size: i64,
}

impl Paging {
    /// The page that is asked for, of `size_default` things if nothing is said and `size_max` at most.
    ///
    /// # Errors
    /// [`InvalidParameter`] for `PageNumber` below one, and for `PageSize` outside its bounds.
    pub(super) fn of(params: &Params, size_default: i64, size_max: i64) -> Result<Self, InvalidParameter> {
        let number = params.integer("PageNumber")?.unwrap_or(1);
        let size = params.integer("PageSize")?.unwrap_or(size_default);
        if number < 1 || number.checked_mul(size_max).is_none() {
            return Err(InvalidParameter::new("PageNumber"));
        }
        if !(1..=size_max).contains(&size) {
            return Err(InvalidParameter::new("PageSize"));
        }
        Ok(Self { number, size })
    }

    /// Things before the page.
    pub(super) fn offset(self) -> i64 {
        (self.number - 1) * self.size
    }
}
