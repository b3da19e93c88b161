//! The settings of how instances are named in the exposure log.

use std::path::Path;

use flag_store::InstanceIdMode;

use crate::reader::Reader;
use crate::table;

/// Reads how instances are named in the log, with the key if they are hashed.
pub fn read_instance_id_mode(reader: &mut Reader) -> Option<InstanceIdMode> {
    let is_hashed = reader.parse(&table::LOG_INSTANCE_ID, |text| match text {
        "plain" => Some(false),
        "hashed" => Some(true),
        _ => None,
    })?;
    if !is_hashed {
        return Some(InstanceIdMode::Plain);
    }
    let key = reader.secret(&table::LOG_INSTANCE_ID_KEY);
    let file = reader.path(&table::LOG_INSTANCE_ID_KEY_FILE);
    let (key, file) = key.zip(file)?;
    let id_mode = read_key(key, &file).and_then(|key| {
        InstanceIdMode::hashed(&key).ok_or_else(|| "the key has less than 16 bytes".to_owned())
    });
    // An error never shows the key.
    id_mode
        .map_err(|error| reader.add_error(&format!("log-instance-id is hashed, but {error}")))
        .ok()
}

/// The key itself, or the content of the file.
fn read_key(key: String, file: &Path) -> Result<Vec<u8>, String> {
    match (key.is_empty(), file.as_os_str().is_empty()) {
        (false, true) => Ok(key.into_bytes()),
        (true, false) => {
            let mut key =
                std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            while key.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
                key.pop();
            }
            Ok(key)
        }
        (true, true) => {
            Err("neither log-instance-id-key nor log-instance-id-key-file is set".to_owned())
        }
        (false, false) => {
            Err("log-instance-id-key and log-instance-id-key-file are both set".to_owned())
        }
    }
}
