//! The bytes of 1,000 deleted images, beside `rm` and `sync`.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tokio::time::Instant;

use crate::Outcome;
use crate::calls::Signing;
use crate::catalogue::{OBJECT_BYTES, REGIONS, Set, Size, object_key};
use crate::disk::sync;
use crate::installation::failed;
use crate::load::{self, Pace, Requests};
use crate::measured::Spread;
use crate::report::Report;
use crate::requests;
use crate::run::Context;
use crate::table::Table;
use crate::work::ROUNDS;

const COUNT: u64 = 1_000;
const SIZE: Size = Size { own: COUNT, used: 0, others: 0 };

/// Measures erasures.
///
/// # Errors
/// A text.
pub async fn measure(context: &Context, report: &mut Report) -> Outcome {
    context.load_anywhere()?;
    let (mut removed, mut erased, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let floor = remove_files(context)?;
        let (whole, since_last) = erase(context).await?;
        println!("rm and sync {floor:.3} s, erased {whole:.3} s, {since_last:.3} s after the last delete");
        removed.push(floor);
        erased.push(whole);
        after.push(since_last);
    }
    let against = Spread::of(erased.iter().zip(&removed).map(|(erased, removed)| erased / removed));
    let alone = Spread::of(after.iter().zip(&removed).map(|(after, removed)| after / removed));
    let table = Table::new(&["1,000 images of 1 MiB", "in s", "against rm and sync"])
        .with(["`rm` and `sync` of 1,000 files".to_owned(), Spread::of(removed).to_string(), "1".to_owned()])
        .with([
            "from the first delete to the last erasure that is recorded".to_owned(),
            Spread::of(erased).to_string(),
            against.to_string(),
        ])
        .with([
            "of it after the last delete was acknowledged".to_owned(),
            Spread::of(after).to_string(),
            alone.to_string(),
        ]);
    report.table("erase", &table);
    report.figure("erase", against);
    Ok(())
}

/// The time that the operating system takes.
fn remove_files(context: &Context) -> Outcome<f64> {
    let installation = context.catalogues.empty("files")?;
    let files = installation.data.join("files");
    write_files(&files)?;
    let began = Instant::now();
    let removed = Command::new("rm").arg("-r").arg(&files).status();
    if !removed.is_ok_and(|status| status.success()) {
        return Err("rm fails".to_owned());
    }
    sync()?;
    Ok(began.elapsed().as_secs_f64())
}

/// The time from the first delete, and that from the last one, until all bytes are gone and that is recorded.
async fn erase(context: &Context) -> Outcome<(f64, f64)> {
    let installation = context.catalogues.fresh(SIZE, "erase")?;
    let server = installation.server_with(&context.binary, &context.all(), "0s").await?;
    let region = installation.data.join("objects").join(REGIONS[0]);
    write_files(&region)?;
    let signed = |number| {
        let (operation, status) = requests::delete(number);
        (operation.request(server.address, Signing::V1), status)
    };
    let deletes: Requests = (0..COUNT).map(signed).collect();
    let began = Instant::now();
    load::send(server.address, 64, deletes, Pace::Closed).await?;
    let acknowledged = Instant::now();
    server.wait_for("calotype_deletions_pending", "", |pending| pending < 1.0).await?;
    let times = (began.elapsed().as_secs_f64(), acknowledged.elapsed().as_secs_f64());
    if (0..COUNT).any(|number| region.join(object_key(Set::Own, number)).exists()) {
        return Err("not all bytes are erased".to_owned());
    }
    server.stop().await?;
    Ok(times)
}

/// Writes a file for each image, and brings them to the disk.
fn write_files(folder: &Path) -> Outcome {
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let mut bytes = vec![0; OBJECT_BYTES as usize];
    for number in 0..COUNT {
        let path = folder.join(object_key(Set::Own, number));
        super::fill(&mut bytes, number);
        let written = fs::File::create(&path).and_then(|mut file| file.write_all(&bytes));
        written.map_err(|error| failed(&path, &error))?;
    }
    sync()
}
