//! The Calotype server.
//!
//! A request goes downwards: `http` to `operations` to `products` to `service` to the store and the core.

// Some answers of the vendor have more members than a macro is expanded for by default.
#![recursion_limit = "256"]

pub mod app;
pub mod audit;
pub mod backup;
pub mod check;
pub mod client;
pub mod clock;
pub mod config;
pub mod demo;
pub mod http;
pub mod identity;
pub mod lab;
pub mod logging;
pub mod metrics;
pub mod operations;
pub mod products;
pub mod service;
pub mod sessions;
pub mod throttle;
pub mod tls;
pub mod wire;
pub mod workers;
