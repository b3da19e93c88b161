//! The names of the tables, for code that opens no store.

use crate::reader::Reader;
use crate::store::name;
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
        let environment = reader.parse(&table::ENVIRONMENT, name);
        let tenant = reader.parse(&table::TENANT, name);
        let (environment, tenant) = environment.zip(tenant)?;
        let names = [
            ("{environment}", environment.as_str()),
            ("{tenant}", tenant.as_str()),
        ];
        let flags = reader.parse_expanded(&table::FLAG_TABLE, &names, name);
        let exposures = reader.parse_expanded(&table::LOG_TABLE, &names, name);
        flags
            .zip(exposures)
            .map(|(flags, exposures)| Self { flags, exposures })
    }
}
