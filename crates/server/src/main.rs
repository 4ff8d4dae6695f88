//! The one binary.

mod cli;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request makes hundreds of small allocations, on whichever thread it is.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
