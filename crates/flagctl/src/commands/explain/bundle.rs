//! A bug report in one file: a decision with all that it depends on.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use flag_keys::{NoRandomness, Secret};
use flag_model::{InstanceId, InvalidRevision, Revision};
use flag_settings::table;
use flag_store::{Clock as _, InstanceIdMode, SystemClock};
use flag_verify::RecheckedExposure;
use serde::Serialize;

use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::output::{Explained, ReplicaData, Replicas, View as _};

/// Only its owner reads it: it may have instance ids.
const MODE: u32 = 0o600;

/// Why the file was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum BundleError {
    /// It cannot be written, or exists.
    #[error("cannot write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The ids of the revision cannot be replaced.
    #[error("cannot hash the instance ids")]
    Ids(#[from] InvalidRevision),
    /// There is no key to hash them with.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl CommandError for BundleError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::File { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                ExitCode::Conflict
            }
            Self::File { .. } | Self::Ids(_) | Self::NoRandomness(_) => ExitCode::Failed,
        }
    }
}

/// What a bug report is about: a decision, and what replicas report.
type About<'a, 'e> = (&'a Explained<'e>, &'a Replicas);

/// What is in the file.
#[derive(Serialize)]
struct Bundle<T> {
    made: String,
    flagctl: &'static str,
    store: String,
    ids_are_hashed: bool,
    explained: T,
    replicas: Vec<ReplicaInBundle>,
    settings: Vec<SettingData>,
}

#[derive(Serialize)]
struct ReplicaInBundle {
    #[serde(flatten)]
    replica: ReplicaData,
    /// The revision of the flag that it reported lately.
    reported_revision: Option<String>,
}

#[derive(Serialize)]
struct SettingData {
    option: String,
    value: String,
    origin: String,
}

/// Writes a new file about a decision. Secrets among the settings are left out.
pub(super) fn write_bundle(
    context: &Context,
    path: &Path,
    about: About<'_, '_>,
    hash_ids: bool,
) -> Result<(), Failure> {
    let json = if hash_ids {
        hashed(context, about)?
    } else {
        json(context, about, false)
    };
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(MODE).open(path);
    let written = file.and_then(|mut file| file.write_all(&json));
    written.map_err(|source| {
        let path = path.to_owned();
        BundleError::File { path, source }.into()
    })
}

fn json(context: &Context, (explained, replicas): About<'_, '_>, ids_are_hashed: bool) -> Vec<u8> {
    let settings = [
        table::OF_STORE,
        &[table::LOG_INSTANCE_ID, table::LOG_INSTANCE_ID_KEY],
    ];
    let settings = context.sources.effective(&settings.concat());
    let settings = settings.into_iter().map(|of| SettingData {
        option: of.option,
        value: of.value,
        origin: of.origin.to_string(),
    });
    let flag = &explained.revision.flag;
    let replicas = replicas.shown.iter().map(|of| {
        let reported = of.served.as_ref().and_then(|served| served.reported(flag));
        ReplicaInBundle {
            replica: ReplicaData::of(of),
            reported_revision: reported.map(|made| made.to_string()),
        }
    });
    let bundle = Bundle {
        made: SystemClock.now().to_string(),
        flagctl: env!("CARGO_PKG_VERSION"),
        store: context.store_display_name(),
        ids_are_hashed,
        explained: explained.data(),
        replicas: replicas.collect(),
        settings: settings.collect(),
    };
    let mut json = serde_json::to_vec_pretty(&bundle).unwrap_or_default();
    json.push(b'\n');
    json
}

/// The same with ids replaced by hashes; the key is thrown away, so that nobody can look for an id.
fn hashed(context: &Context, (explained, replicas): About<'_, '_>) -> Result<Vec<u8>, Failure> {
    let secret = Secret::new().map_err(BundleError::from)?;
    let id_mode = InstanceIdMode::hashed(secret.reveal().as_bytes());
    let id_mode = id_mode.unwrap_or(InstanceIdMode::Plain);
    let hash = |id: &InstanceId<'_>| {
        let name = id_mode.pseudonym(id);
        name.unwrap_or_else(|| id.clone().into_owned())
    };
    let instance = hash(explained.instance);
    let created = explained.revision.created();
    let mut parts = explained.revision.clone().into_parts();
    for id in parts.treatments.iter_mut().flat_map(|of| &mut of.overrides) {
        *id = hash(id);
    }
    let revision = Revision::new(created, parts).map_err(BundleError::from)?;
    let served = explained.served.unwrap_or_default().iter();
    let served: Vec<RecheckedExposure> = served
        .map(|served| {
            let mut served = served.clone();
            // The row key has the id too.
            let key = std::mem::take(&mut served.exposure.key);
            served.comparison = served.comparison.map_err(|what| without_id(&what, &key));
            served.exposure.instance = instance.to_string();
            served
        })
        .collect();
    let explained = Explained {
        instance: &instance,
        revision: &revision,
        served: Some(&served),
        ..*explained
    };
    Ok(json(context, (&explained, replicas), true))
}

/// What is wrong with an exposure, without its row key and its cells.
fn without_id(what: &str, key: &str) -> String {
    let of_cell = what.strip_prefix(&format!("row {key}, ")).unwrap_or(what);
    let column = of_cell.strip_prefix("column ");
    match column.and_then(|column| column.split_once(':')) {
        Some((column, _)) => format!("column {column} is invalid or does not fit the row key"),
        None => "the row key or a cell is invalid".to_owned(),
    }
}
