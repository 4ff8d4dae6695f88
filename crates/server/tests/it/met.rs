//! Notes which refusals each test has met, for `docs/errors.md`; see `tests/docs/errors.rs`.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use calotype::client::Answer;
use serde_json::json;

/// What these tests meet depends on who comes first.
const BY_CHANCE: [&str; 3] = ["race::", "histories::", "fuzz"];

/// Notes a refusal, if somebody wants to know: `CALOTYPE_MET` is a folder.
pub fn note(version: &str, operation: &str, answer: &Answer) {
    let Some(folder) = std::env::var_os("CALOTYPE_MET") else { return };
    // Each test has a thread that is named after it.
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let by_chance = BY_CHANCE.iter().any(|module| test.starts_with(module));
    let Some(code) = answer.code().filter(|_| test.contains("::") && !by_chance) else { return };
    let line = json!({
        "version": version, "operation": operation, "status": answer.status, "code": code,
        "message": answer.body["Message"], "test": format!("it {test}"),
    });
    let path = PathBuf::from(folder).join("it.jsonl");
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}
