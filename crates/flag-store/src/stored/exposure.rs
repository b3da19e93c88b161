//! Exposure rows.

use flag_model::Invalid;

use super::cell_type;
use crate::exposures::{Exposure, StoredExposure};
use crate::port::{Cells, Row};
use crate::row_key::exposure_key;

/// The row of an exposure; refused if its key would be too long.
pub(crate) fn encode_exposure(exposure: &Exposure) -> Result<Row, Invalid> {
    let created = exposure.created.to_string();
    let key = exposure_key(
        &exposure.flag,
        &exposure.instance,
        &exposure.request_id,
        exposure.created,
    )?;
    let mut cells = Cells::default()
        .with("RequestID", exposure.request_id.as_str())
        .with("Name", exposure.flag.name.as_str())
        .with("CreatedTimestamp", created)
        .with("Type", cell_type(exposure.flag.flag_type))
        .with("InstanceID", exposure.instance.as_str())
        .with("AssignedValue", exposure.value.to_string())
        .with("AssignedGroup", exposure.rollout_group.as_str())
        .with("CacheFlag", exposure.from_cache.to_string())
        .with("Revision", exposure.revision.to_string())
        .with("Reason", exposure.reason.as_str());
    if let Some(bucket) = exposure.bucket {
        cells.set("Bucket", bucket.to_string());
    }
    Ok(Row {
        key: key.into(),
        cells,
    })
}

/// The cells of an exposure as text, whoever wrote it; nothing depends on them, so nothing is refused.
pub(crate) fn decode_exposure(row: &Row) -> StoredExposure {
    let text = |column| {
        row.cells
            .get(column)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    StoredExposure {
        key: String::from_utf8_lossy(&row.key).into_owned(),
        request_id: text("RequestID").unwrap_or_default(),
        created: text("CreatedTimestamp").unwrap_or_default(),
        instance: text("InstanceID").unwrap_or_default(),
        value: text("AssignedValue").unwrap_or_default(),
        rollout_group: text("AssignedGroup").unwrap_or_default(),
        from_cache: text("CacheFlag"),
        revision: text("Revision"),
        reason: text("Reason"),
        bucket: text("Bucket"),
    }
}
