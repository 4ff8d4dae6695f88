//! What travels: requests, signatures, replies, faults.
//!
//! A request comes in through [`request`], which merges everything the caller sent into one
//! [`params::Params`]; [`signature`] proves who sent it; an outcome leaves through [`reply`], a refusal
//! by way of [`fault`]. [`sign`] is the same thing seen from the caller's side.
//!
//! This module is a leaf. It knows no product and no operation, no store, no server framework and no
//! clock: the time is an argument, and whatever must be looked up is handed in.

pub mod encode;
pub mod fault;
pub mod nonces;
pub mod params;
pub mod reply;
pub mod request;
pub mod sign;
pub mod signature;
