//! Describes flags to people: sentences, differences, text whose invisible characters are shown, words for a shell.
//!
//! Pure: no I/O, no clock. Knows neither terminals nor HTML; `flagctl` and the dashboard of the service lay its text out.
mod compared_fields;
mod escape;
mod replica;
mod sentence;
mod shell;

pub use crate::compared_fields::{ComparedField, allocation_fields, revision_fields};
pub use crate::escape::{
    escaped, escaped_json, escaped_lines, hidden_content, is_invisible, is_typed, list_item,
    visible,
};
pub use crate::replica::{SILENT_REPLICA, clock_error};
pub use crate::sentence::{sentence, shortened};
pub use crate::shell::{flag_words, word};
