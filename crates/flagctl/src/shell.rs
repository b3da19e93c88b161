//! Text as a shell takes it, for commands that a person can copy.

pub(crate) use flag_describe::{flag_words as flag, word};
