//! The cell that a flag has in its project's head row: when its newest row was made, or a claim on the next one.

use flag_model::{FlagKey, Timestamp};

use crate::row_key::RowType;

/// What a head cell says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// Nobody is appending: there is no cell, its row is in, or it says nothing that can be understood.
    Free,
    /// Somebody is about to append a row made at that time, or died trying.
    Claimed(Timestamp),
}

const CLAIMED_BY: &str = " claimed by ";

impl Head {
    /// Reads a cell. Rows are the truth, so a cell that means nothing stands in nobody's way.
    pub(crate) fn decode(cell: Option<&[u8]>) -> Self {
        let text = cell
            .and_then(|cell| str::from_utf8(cell).ok())
            .unwrap_or_default();
        let claim = text
            .split_once(CLAIMED_BY)
            .and_then(|(at, _)| Timestamp::parse(at).ok());
        claim.map_or(Self::Free, Self::Claimed)
    }
}

/// The cell of a claim; the nonce tells one writer's claims from all others.
pub(crate) fn encode_claim(at: Timestamp, nonce: u64) -> String {
    format!("{at}{CLAIMED_BY}{nonce:016x}")
}

/// The column of a flag: `{type}/{name}` for its revisions, `FLAG/{type}/{name}` for its metadata.
pub(crate) fn head_column(row_type: RowType, flag: &FlagKey) -> String {
    match row_type {
        RowType::Revision => format!("{}/{}", flag.flag_type, flag.name),
        RowType::Flag => format!("FLAG/{}/{}", flag.flag_type, flag.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_read_back() {
        let at = Timestamp::parse("2024-09-25 19:15:28.248896").unwrap();
        assert_eq!(
            Head::decode(Some(encode_claim(at, 7).as_bytes())),
            Head::Claimed(at)
        );
    }

    #[test]
    fn whatever_is_no_claim_is_free() {
        for cell in [
            None,
            Some(&b"2024-09-25 19:15:28.248896"[..]),
            Some(b"soon claimed by me"),
            Some(b"\xff"),
            Some(b""),
        ] {
            assert_eq!(Head::decode(cell), Head::Free);
        }
    }
}
