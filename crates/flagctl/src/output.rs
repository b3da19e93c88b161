//! The results of commands: their forms, on a terminal or in a pipe.
mod applied;
mod checks;
mod compared;
mod copied;
mod counted;
mod csv;
mod diff;
mod explained;
mod exported;
mod exposure_lines;
mod exposure_summary;
mod exposures;
mod files;
mod flag;
mod forgotten;
mod history;
mod imported;
mod json;
mod keys;
mod layout;
mod list;
mod pager;
mod parts;
mod progress;
mod statement;
mod table;
mod template;
mod terminal;
mod text;
mod tree;
mod view;
mod when;
mod written;
mod yaml;

use flag_describe as escape;

pub(crate) use self::applied::{Applied, AppliedFlag};
pub(crate) use self::checks::{Checks, RowLocation, Status};
pub(crate) use self::compared::ComparedServices;
pub(crate) use self::copied::CopiedRows;
pub(crate) use self::counted::CountedNames;
pub(crate) use self::diff::Diff;
pub(crate) use self::escape::{escaped, hidden_content, list_item, visible};
pub(crate) use self::explained::Explained;
pub(crate) use self::exported::Exported;
pub(crate) use self::exposure_lines::{ExposureLines, LineForm};
pub(crate) use self::exposure_summary::ExposureSummary;
pub(crate) use self::exposures::{Exposures, exposures_table};
pub(crate) use self::files::Files;
pub(crate) use self::flag::{Flag, Latest};
pub(crate) use self::forgotten::{Forgotten, Listing};
pub(crate) use self::history::{MetadataHistory, Revisions, revisions_table};
pub(crate) use self::imported::{Finding, Imported, findings};
pub(crate) use self::json::{named_algorithm, number};
pub(crate) use self::keys::{Keys, NewKey, RevokedKey};
pub(crate) use self::list::{Flags, ListColumns};
pub(crate) use self::parts::{PartState, StorePart, StoreParts};
pub(crate) use self::progress::{with_progress, with_progress_beside_output};
pub(crate) use self::statement::Statement;
pub(crate) use self::terminal::{choose_colours, prepare};
pub(crate) use self::text::{Columns, Text, Tone};
pub(crate) use self::view::{
    View, Written, notice, notice_formulas, preview, print, print_failure, print_more, rendered,
    show,
};
pub(crate) use self::written::{WrittenRow, cells};
