//! Arguments that add or revise a flag.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use flag_model::{Date, FormatVersion};

use super::{
    FlagWords, NameArgs, OutputArgs, OwnerArgs, ProjectOption, RevisionName, RevisionWriteArgs,
    WriteArgs,
};

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    pub(crate) flag: FlagWords,
    /// What the flag switches
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: String,
    #[command(flatten)]
    pub(crate) owner: OwnerArgs,
    /// Link to the ticket that plans the removal of the flag
    #[arg(long, value_name = "URL")]
    pub(crate) ticket: Option<String>,
    /// Tag to find the flag by; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Day by which the flag should be removed from the code; it is still served afterwards
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = Date::parse)]
    pub(crate) expires_on: Option<Date>,
    #[command(flatten)]
    pub(crate) names: NameArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReviseArgs {
    /// Flag: `NAME`, `PROJECT/NAME`, `PROJECT/TYPE/NAME`, or `PROJECT TYPE NAME`; then, as a short form, the percentage of its
    /// treatment: `10%`, `on` (100 %) or `off` (0 %)
    #[arg(value_name = "FLAG", required = true, num_args = 1..)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) project: ProjectOption,
    /// Value for everybody who is in no treatment; required for the first revision, except in the short form of a feature, where
    /// it is false
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub(crate) control: Option<String>,
    /// Reason for the revision; required, except in the short form
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    #[command(flatten)]
    pub(crate) owner: OwnerArgs,
    /// Revision that must still be the newest, otherwise nothing is written: `r7`, or a time at which it was in force
    #[arg(long, value_name = "REVISION", value_parser = RevisionName::parse)]
    pub(crate) from_revision: Option<RevisionName>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) treatment: TreatmentArgs,
    #[command(flatten)]
    pub(crate) scheme: SchemeArgs,
    #[command(flatten)]
    pub(crate) revision_write: RevisionWriteArgs,
}

/// A change of one treatment.
#[derive(Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "One treatment")]
pub(crate) struct TreatmentArgs {
    /// Position of the treatment (1, 2, …), its rollout group, or `new`; required if there are several. If that is
    /// ambiguous, `#2` and `#new` are positions and `name:2` is a rollout group
    #[arg(long = "treatment", value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// Percent rollout: share of all instances that receives it, 0 to 100; up to three decimals in version 2
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) percent: Option<String>,
    /// Value that they receive [default for a new treatment of a feature: the opposite of the control]
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub(crate) value: Option<String>,
    /// Instance id that always receives it; one id per option, may be repeated; no list (`A,B`), no file (`@FILE`)
    #[arg(long = "override", value_name = "ID", allow_negative_numbers = true)]
    pub(crate) overrides: Vec<String>,
    /// File with instance ids that always receive it, one per line, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) overrides_file: Option<PathBuf>,
    /// File with the value, taken as it is without its last line break, or `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "value")]
    pub(crate) value_file: Option<PathBuf>,
    /// Instance id to remove from the override list; may be repeated
    #[arg(
        long = "remove-override",
        value_name = "ID",
        allow_negative_numbers = true
    )]
    pub(crate) removed_overrides: Vec<String>,
    /// The ids of `overrides_file`, once it is read.
    #[arg(skip)]
    pub(crate) file_overrides: Vec<String>,
    /// Name of its rollout group, in version 2
    #[arg(long, value_name = "NAME")]
    pub(crate) treatment_name: Option<String>,
    /// Remove it; later treatments without a name move up, and their rollout groups change
    #[arg(
        long = "remove-treatment",
        conflicts_with_all = ["percent", "value", "value_file", "overrides", "overrides_file", "removed_overrides", "treatment_name"]
    )]
    pub(crate) remove: bool,
}

/// Format version, hash algorithm and salt.
#[derive(Debug, Args)]
#[command(next_help_heading = "Buckets")]
pub(crate) struct SchemeArgs {
    /// Give everybody a new bucket, and move a flag of version 1 to version 2
    /// [default in version 1: the flag's name]
    #[arg(long, value_name = "SALT", num_args = 0..=1, hide_short_help = true)]
    #[expect(
        clippy::option_option,
        reason = "how clap distinguishes an option without a value from no option"
    )]
    pub(crate) resalt: Option<Option<String>>,
    /// Text that is hashed before instance ids, for a first revision of version 2 [default: the flag's name]
    #[arg(long, value_name = "SALT", hide_short_help = true)]
    pub(crate) salt: Option<String>,
    /// Hash algorithm for a first revision or with --resalt: md5, sha1, sha256 or another [default: that of the revision in
    /// force; for a first one md5, in version 1 that of --v1-hash-algorithm]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) algorithm: Option<String>,
    /// Format version of the first revision; 1 if the Python service still reads the rows [default: 2]
    #[arg(long, value_name = "VERSION", value_parser = format_version(), hide_short_help = true)]
    pub(crate) format_version: Option<FormatVersion>,
}

fn format_version() -> impl TypedValueParser<Value = FormatVersion> {
    PossibleValuesParser::new(["1", "2"]).try_map(|text| FormatVersion::parse(&text))
}

/// What `flagctl revise p feature f --comment why` reads, with more options.
#[cfg(test)]
pub(crate) fn revise_args(options: &[&str]) -> ReviseArgs {
    use clap::FromArgMatches as _;

    let command = ReviseArgs::augment_args(clap::Command::new("revise"));
    let flag = ["revise", "p", "feature", "f", "--comment", "why"];
    let matches = command.try_get_matches_from([&flag, options].concat());
    ReviseArgs::from_arg_matches(&matches.unwrap()).unwrap()
}
