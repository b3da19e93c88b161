//! A question: a flag, its type, and an instance.

use std::fmt;

use flag_model::{FlagName, FlagType, InstanceId, Invalid};
use quick_cache::Equivalent;

use crate::failure::Failure;
use crate::value::ValueType;

/// A flag of the client's project: its type and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlagRef<'a> {
    /// Its type.
    pub flag_type: FlagType,
    /// Its name.
    pub name: &'a str,
}

/// A flag, and the instance that the value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question<'a> {
    pub(crate) flag: FlagRef<'a>,
    pub(crate) instance_id: &'a str,
}

/// An owned question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuestionKey {
    flag_type: FlagType,
    name: Box<str>,
    instance_id: Box<str>,
}

impl<'a> FlagRef<'a> {
    /// A flag that is true or false.
    pub const fn boolean(name: &'a str) -> Self {
        Self {
            flag_type: FlagType::Feature,
            name,
        }
    }

    /// A flag that holds text.
    pub const fn string(name: &'a str) -> Self {
        Self {
            flag_type: FlagType::Data,
            name,
        }
    }
}

/// For [`ALL`](crate::flags) of an application's flags.
impl<'a> From<&FlagRef<'a>> for FlagRef<'a> {
    fn from(flag: &FlagRef<'a>) -> Self {
        *flag
    }
}

impl fmt::Display for FlagRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.flag_type, self.name)
    }
}

impl<'a> Question<'a> {
    /// A question for a flag that holds `T`.
    pub(crate) fn new<T: ValueType>(name: &'a str, instance_id: &'a str) -> Self {
        let flag_type = T::FLAG_TYPE;
        Self {
            flag: FlagRef { flag_type, name },
            instance_id,
        }
    }

    /// Refuses a question that the service would refuse, whatever its flags are.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let invalid = |invalid: Invalid| Failure::InvalidRequest(invalid.to_string().into());
        FlagName::new(self.flag.name).map_err(invalid)?;
        InstanceId::new(self.instance_id).map_err(invalid)?;
        Ok(())
    }

    /// The question about the flag as a whole, which has an empty instance id: no valid id is empty.
    pub(crate) fn of_any_instance(self) -> Self {
        Self {
            instance_id: "",
            ..self
        }
    }
}

impl QuestionKey {
    /// Whether it is about a flag of this name.
    pub(crate) fn is_of(&self, flag_name: &str) -> bool {
        *self.name == *flag_name
    }

    /// The question.
    pub(crate) fn question(&self) -> Question<'_> {
        Question {
            flag: FlagRef {
                flag_type: self.flag_type,
                name: &self.name,
            },
            instance_id: &self.instance_id,
        }
    }
}

impl From<Question<'_>> for QuestionKey {
    fn from(question: Question<'_>) -> Self {
        Self {
            flag_type: question.flag.flag_type,
            name: question.flag.name.into(),
            instance_id: question.instance_id.into(),
        }
    }
}

/// The hash of the question, so that a map finds the key by it.
impl std::hash::Hash for QuestionKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.question().hash(state);
    }
}

impl Equivalent<QuestionKey> for Question<'_> {
    fn equivalent(&self, key: &QuestionKey) -> bool {
        *self == key.question()
    }
}
