//! Arguments that several commands share. Imports no command.
mod change;
mod confirm;
mod flag;
mod moment;
mod output_format;
mod revision;
mod seen;
mod write;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use flag_model::{FlagType, NewName};

#[cfg(test)]
pub(crate) use self::change::revise_args;
pub(crate) use self::change::{AddArgs, ReviseArgs, SchemeArgs, TreatmentArgs};
pub(crate) use self::confirm::YesArgs;
pub(crate) use self::flag::{FlagWords, NamedFlag, ProjectArgs, ProjectOption, take_flag};
pub(crate) use self::moment::Moment;
pub(crate) use self::output_format::{OutputArgs, OutputFormat, OutputFormatParser};
pub(crate) use self::revision::{NameKind, REST_OF_SECOND, RevisionName};
pub(crate) use self::seen::{AtMost, Lookback, SeenArgs};
pub(crate) use self::write::{RevisionWriteArgs, WriteArgs};

/// The author of a row.
#[derive(Debug, Default, Args)]
pub(crate) struct OwnerArgs {
    /// Who makes the change; rarely needed.
    #[arg(
        long,
        value_name = "ID",
        help = "Who makes the change [env: FLAG_OWNER] [default: the signed-in Google account, else the login name]"
    )]
    pub(crate) owner: Option<String>,
}

/// How new flags may be named.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct NameArgs {
    /// Allow names of new flags that are not snake case: letters, digits, `.`, `_` and `-`
    #[arg(long)]
    any_name: bool,
}

impl NameArgs {
    /// The names that are allowed.
    pub(crate) fn allowed(self) -> NewName {
        if self.any_name {
            NewName::Any
        } else {
            NewName::SnakeCase
        }
    }
}

/// Reads the type of a flag.
pub(crate) fn flag_type() -> impl TypedValueParser<Value = FlagType> {
    PossibleValuesParser::new(FlagType::ALL.map(FlagType::as_str))
        .try_map(|text| FlagType::parse(&text))
}
