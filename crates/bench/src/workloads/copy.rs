//! A copy of an image to three regions.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use calotype::wire::encode;
use ring::digest::{Context as Digest, SHA256};
use tokio::time::Instant;

use crate::Outcome;
use crate::calls::Signing;
use crate::catalogue::{self, REGIONS};
use crate::disk::sync;
use crate::installation::failed;
use crate::load;
use crate::measured::Spread;
use crate::report::Report;
use crate::requests;
use crate::run::Context;
use crate::table::Table;

/// The size of the image.
const BYTES: u64 = 512 << 20;

/// How often it is copied.
const ROUNDS: usize = 3;

const PART_BYTES: usize = 4 << 20;

/// Measures copies.
///
/// # Errors
/// A text.
pub async fn measure(context: &Context, report: &mut Report) -> Outcome {
    context.load_anywhere()?;
    let (mut written, mut copied) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (floor, copy) = copy(context).await?;
        println!("written {floor:.2} s, copied {copy:.2} s");
        written.push(floor);
        copied.push(copy);
    }
    let against = Spread::of(copied.iter().zip(&written).map(|(copied, written)| copied / written));
    let table = Table::new(&["512 MiB to three regions", "in s", "against writing"])
        .with(["three files written and synced, one after the other", &Spread::of(written).to_string(), "1"])
        .with([
            "copied, compared with the recorded hash",
            &Spread::of(copied).to_string(),
            &against.to_string(),
        ]);
    report.table("copy", &table);
    Ok(())
}

async fn copy(context: &Context) -> Outcome<(f64, f64)> {
    let installation = context.catalogues.empty("copy")?;
    // A server makes tables and folders; the image is put beside them.
    installation.server(&context.binary, &context.all()).await?.stop().await?;
    let object = installation
        .data
        .join("objects")
        .join(REGIONS[0])
        .join(catalogue::object_key(catalogue::Set::Own, 0));
    let sha256 = write_object(&object).map_err(|error| failed(&object, &error))?;
    catalogue::add_app_image(&installation.data.join("metadata.db"), BYTES, &sha256).await?;
    let floor = write_thrice(&object, &installation.data).map_err(|error| failed(&object, &error))?;
    sync()?;
    let server = installation.server(&context.binary, &context.all()).await?;
    let (operation, _) = requests::distribute(&catalogue::app_image_id(), REGIONS[0], &REGIONS[1..]);
    let filled = server.filled().await?;
    let began = Instant::now();
    load::ask(server.address, &operation.request(server.address, Signing::V1)).await?;
    server.until_filled(filled + 3.0).await?;
    let copy = began.elapsed().as_secs_f64();
    server.stop().await?;
    Ok((floor, copy))
}

/// Writes the object; gives its SHA-256.
fn write_object(path: &Path) -> std::io::Result<String> {
    let (mut file, mut digest) = (File::create(path)?, Digest::new(&SHA256));
    let mut part = vec![0; PART_BYTES];
    for number in 0..BYTES / PART_BYTES as u64 {
        super::fill(&mut part, number);
        digest.update(&part);
        file.write_all(&part)?;
    }
    file.sync_all()?;
    Ok(encode::hex(digest.finish().as_ref()))
}

fn write_thrice(from: &Path, folder: &Path) -> std::io::Result<f64> {
    let mut part = vec![0; PART_BYTES];
    let began = Instant::now();
    for number in 0..3 {
        let (mut source, mut target) =
            (File::open(from)?, File::create(folder.join(format!("copy-{number}")))?);
        loop {
            let read = source.read(&mut part)?;
            if read == 0 {
                break;
            }
            target.write_all(&part[..read])?;
        }
        target.sync_all()?;
    }
    let elapsed = began.elapsed().as_secs_f64();
    (0..3).try_for_each(|number| fs::remove_file(folder.join(format!("copy-{number}"))))?;
    Ok(elapsed)
}
