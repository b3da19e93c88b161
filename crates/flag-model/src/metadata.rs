//! What a flag is for.

use std::ops::Deref;

use crate::flag::FlagKey;
use crate::invalid::{Invalid, quoted};
use crate::name::OwnerId;
use crate::time::{Date, Timestamp};

/// The tag of a flag whose value is frozen, until the code no longer asks for it.
pub const RETIRED_TAG: &str = "retired";

/// What a flag is for, as of one instant. An update makes newer metadata; the newest counts.
///
/// Dereferences to its [`MetadataParts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    created: Timestamp,
    parts: MetadataParts,
}

/// The content of metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataParts {
    /// The flag.
    pub flag: FlagKey,
    /// What the flag is for, at most 64 KiB.
    pub description: String,
    /// Who is responsible for the flag.
    pub owner: Option<OwnerId>,
    /// Who wrote this metadata.
    pub edited_by: Option<OwnerId>,
    /// The ticket of its removal, one line of at most 2 KiB.
    pub ticket: Option<String>,
    /// Labels for searching, at most 100, each one line of at most 128 bytes.
    pub tags: Vec<String>,
    /// When it should have been removed from the code; it is served after that date too.
    pub expires_on: Option<Date>,
}

impl MetadataParts {
    /// The longest description, in bytes.
    pub const MAX_DESCRIPTION_BYTES: usize = 64 * 1024;
    /// The longest ticket, in bytes.
    pub const MAX_TICKET_BYTES: usize = 2 * 1024;
    /// The most tags that a flag may have.
    pub const MAX_TAGS: usize = 100;
    /// The longest tag, in bytes.
    pub const MAX_TAG_BYTES: usize = 128;

    /// Whether the flag is retired.
    pub fn is_retired(&self) -> bool {
        self.tags.iter().any(|tag| tag == RETIRED_TAG)
    }

    /// Checks whether metadata can be built of these parts.
    pub fn validate(&self) -> Result<(), Invalid> {
        let description = self.description.len();
        if description > Self::MAX_DESCRIPTION_BYTES {
            return Err(Invalid::new(
                "Description",
                format!("{description} bytes"),
                format!("at most {} bytes", Self::MAX_DESCRIPTION_BYTES),
            ));
        }
        if let Some(ticket) = &self.ticket {
            check_line("Ticket", ticket, Self::MAX_TICKET_BYTES)?;
        }
        if self.tags.len() > Self::MAX_TAGS {
            let found = format!("{} tags", self.tags.len());
            let expected = format!("at most {} tags", Self::MAX_TAGS);
            return Err(Invalid::new("Tags", found, expected));
        }
        let mut tags = self.tags.iter();
        tags.try_for_each(|tag| check_line("Tags", tag, Self::MAX_TAG_BYTES))
    }
}

impl Metadata {
    /// Builds metadata of parts that are not too long.
    pub fn new(created: Timestamp, parts: MetadataParts) -> Result<Self, Invalid> {
        parts.validate()?;
        Ok(Self { created, parts })
    }

    /// When this metadata was written.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// Its parts, to build newer metadata.
    pub fn into_parts(self) -> MetadataParts {
        self.parts
    }
}

impl Deref for Metadata {
    type Target = MetadataParts;

    fn deref(&self) -> &MetadataParts {
        &self.parts
    }
}

fn check_line(field: &str, text: &str, max: usize) -> Result<(), Invalid> {
    if (1..=max).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let expected = format!("one line of 1 to {max} bytes");
    Err(Invalid::new(field, quoted(text), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> MetadataParts {
        MetadataParts {
            flag: "p/feature/f".parse().unwrap(),
            description: String::new(),
            owner: None,
            edited_by: None,
            ticket: None,
            tags: vec![],
            expires_on: None,
        }
    }

    #[track_caller]
    fn check(parts: &MetadataParts, refused: Option<&str>) {
        let metadata = Metadata::new(Timestamp::UNIX_EPOCH, parts.clone());
        let message = metadata.as_ref().err().map(ToString::to_string);
        assert_eq!(message.as_deref(), refused);
        if let Ok(metadata) = metadata {
            assert_eq!(metadata.created(), Timestamp::UNIX_EPOCH);
            assert_eq!(*metadata, *parts);
            assert_eq!(metadata.into_parts(), *parts);
        }
    }

    #[test]
    fn a_description_has_at_most_64_kib() {
        let of_length = |length| MetadataParts {
            description: "\n".repeat(length),
            ..parts()
        };
        check(&of_length(0), None);
        check(&of_length(65_536), None);
        let message = "Description: found 65537 bytes, expected at most 65536 bytes";
        check(&of_length(65_537), Some(message));
    }

    #[test]
    fn a_ticket_is_one_line_of_at_most_2_kib() {
        let with_ticket = |ticket: &str| MetadataParts {
            ticket: Some(ticket.to_owned()),
            ..parts()
        };
        check(&with_ticket("T"), None);
        check(&with_ticket(&"T".repeat(2_048)), None);
        let message = "Ticket: found \"\", expected one line of 1 to 2048 bytes";
        check(&with_ticket(""), Some(message));
        let message = "Ticket: found \"a\\nb\", expected one line of 1 to 2048 bytes";
        check(&with_ticket("a\nb"), Some(message));
        assert!(with_ticket(&"T".repeat(2_049)).validate().is_err());
    }

    #[test]
    fn there_are_at_most_100_tags_of_128_bytes() {
        let with_tags = |count, tag: &str| MetadataParts {
            tags: vec![tag.to_owned(); count],
            ..parts()
        };
        check(&with_tags(100, &"t".repeat(128)), None);
        let message = "Tags: found 101 tags, expected at most 100 tags";
        check(&with_tags(101, "t"), Some(message));
        assert!(with_tags(1, &"t".repeat(129)).validate().is_err());
        assert!(with_tags(1, "").validate().is_err());
    }
}
