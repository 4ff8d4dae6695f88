//! The Calotype server.
//!
//! A request goes downwards: `http` to `operations` to `products` to `service` to the store and the core.

pub mod app;
pub mod client;
pub mod clock;
pub mod config;
pub mod demo;
pub mod http;
pub mod identity;
pub mod operations;
pub mod products;
pub mod service;
pub mod wire;
pub mod workers;
