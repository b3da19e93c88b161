//! The names of the tables, for those who open no store.

use crate::reader::Reader;
use crate::store::{NAME, name};
use crate::table;

/// The names of the tables as they stand in Bigtable, whichever store is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNameSettings {
    /// The table of flags.
    pub flags: String,
    /// The table of the exposure log.
    pub exposures: String,
}

impl TableNameSettings {
    /// Reads the two settings, and those that they may name.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let environment = reader.parse(&table::ENVIRONMENT, NAME, name);
        let tenant = reader.parse(&table::TENANT, NAME, name);
        let (environment, tenant) = environment.zip(tenant)?;
        let names = [
            ("{environment}", environment.as_str()),
            ("{tenant}", tenant.as_str()),
        ];
        let flags = reader.parse_expanded(&table::FLAG_TABLE, &names, NAME, name);
        let exposures = reader.parse_expanded(&table::LOG_TABLE, &names, NAME, name);
        flags
            .zip(exposures)
            .map(|(flags, exposures)| Self { flags, exposures })
    }
}
