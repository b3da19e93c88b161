//! Which flags of a project are listed.

use clap::Args;
use flag_model::{Date, FlagType, Metadata, OwnerId};
use flag_store::FlagEntry;

use crate::args::flag_type;

/// Filters; a flag must pass all of them.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct FilterArgs {
    /// Only flags whose name, description, owner, ticket or tags contain this, in any case
    #[arg(long, value_name = "WORD")]
    search: Option<String>,
    /// Only flags with this tag; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only flags of this owner
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// Only flags of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = flag_type())]
    flag_type: Option<FlagType>,
    /// Only flags that should have been removed by now
    #[arg(long)]
    expired: bool,
    /// Only retired flags, which the table leaves out otherwise
    #[arg(long)]
    pub(super) retired: bool,
}

impl FilterArgs {
    /// Whether a flag is wanted.
    pub(super) fn has(&self, entry: &FlagEntry, today: Option<Date>) -> bool {
        let metadata = entry.metadata.as_ref().and_then(|row| row.as_ref().ok());
        let of_metadata = |wanted: &dyn Fn(&Metadata) -> bool| metadata.is_some_and(wanted);
        let has_tag = |tag: &String| of_metadata(&|metadata| metadata.tags.contains(tag));
        let has_owner = |owner: &String| {
            of_metadata(&|metadata| {
                metadata
                    .owner
                    .as_ref()
                    .is_some_and(|of| of.as_str() == owner)
            })
        };
        let is_expired =
            of_metadata(&|metadata| metadata.expires_on.is_some_and(|day| Some(day) < today));
        self.flag_type
            .is_none_or(|wanted| entry.flag.flag_type == wanted)
            && (self.search.as_ref()).is_none_or(|word| contains(entry, metadata, word))
            && self.tags.iter().all(has_tag)
            && self.owner.as_ref().is_none_or(has_owner)
            && (!self.expired || is_expired)
            && (!self.retired || is_retired(entry))
    }
}

/// Whether a flag is retired.
pub(super) fn is_retired(entry: &FlagEntry) -> bool {
    let metadata = entry.metadata.as_ref().and_then(|row| row.as_ref().ok());
    metadata.is_some_and(|metadata| metadata.is_retired())
}

fn contains(entry: &FlagEntry, metadata: Option<&Metadata>, word: &str) -> bool {
    let word = word.to_lowercase();
    let mut texts = vec![entry.flag.name.as_str()];
    if let Some(metadata) = metadata {
        texts.push(&metadata.description);
        texts.extend(metadata.tags.iter().map(String::as_str));
        texts.extend(metadata.owner.iter().map(OwnerId::as_str));
        texts.extend(metadata.ticket.as_deref());
    }
    texts.iter().any(|text| text.to_lowercase().contains(&word))
}
