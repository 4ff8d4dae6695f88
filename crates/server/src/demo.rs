//! demo
/// run
pub async fn run() -> Result<(), Box<dyn std::error::Error>> {
    Ok(())
}
