//! The key of the account that there is if the configuration names none.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::OpenError;
use crate::clock::chance;
use crate::config::ConfigError;
use crate::identity::Identity;
use crate::wire::encode::hex;

/// The file in the data folder that the default account's key is kept in.
pub const CREDENTIALS_FILE: &str = "credentials.toml";

/// The default account's key: from the environment, or made on the first start and kept.
pub(super) fn default_identity(data: &Path) -> Result<Identity, OpenError> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let (Some(id), Some(secret)) =
        (variable("CALOTYPE_ACCESS_KEY_ID"), variable("CALOTYPE_ACCESS_KEY_SECRET"))
    {
        return Ok(Identity::default_account(&id, &secret));
    }
    let path = data.join(CREDENTIALS_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let (id, secret) = parse_credentials(&text)
                .ok_or_else(|| ConfigError::new(format!("{} is not a credentials file", path.display())))?;
            Ok(Identity::default_account(&id, &secret))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let (id, secret) = (format!("calo{}", hex(&chance::<8>())), hex(&chance::<16>()));
            write_credentials(&path, &id, &secret).map_err(|source| OpenError::Folder {
                what: format!("cannot write {}", path.display()),
                source,
            })?;
            Ok(Identity::default_account(&id, &secret))
        }
        Err(source) => Err(OpenError::Folder { what: format!("cannot read {}", path.display()), source }),
    }
}

fn parse_credentials(text: &str) -> Option<(String, String)> {
    let table: toml::Table = text.parse().ok()?;
    let text = |name| table.get(name)?.as_str().map(str::to_owned);
    Some((text("access_key_id")?, text("access_key_secret")?))
}

/// Writes the file whole or not at all, readable by its owner only.
fn write_credentials(path: &Path, id: &str, secret: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let unfinished = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "access_key_id = \"{id}\"\naccess_key_secret = \"{secret}\"")?;
    file.sync_all()?;
    std::fs::rename(unfinished, path)
}
