//! What may stand at the cursor of a command line that is being typed.
//!
//! [`TypedLine`] finds out what is wanted there, from the command line alone; [`find_names`] looks for names in the store.
mod names;
mod typed_line;

pub(crate) use self::names::find_names;
pub(crate) use self::typed_line::{TypedLine, Wanted, WantedName};

/// A word that may stand at the cursor, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) word: String,
    pub(crate) about: String,
}

impl Candidate {
    fn new(word: impl Into<String>, about: impl Into<String>) -> Self {
        let (word, about) = (word.into(), about.into());
        Self { word, about }
    }
}
