//! `flagctl verify`: checks records of the past.
//!
//! What the log says is in [`exposures`], what the revisions say in [`history`].
mod exposures;
mod history;

use clap::Args;

use self::exposures::ExposuresToVerify;
use crate::args::OutputArgs;
use crate::context::Context;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Project whose exposures are decided again
    project: String,
    /// Only this flag: `NAME` or `TYPE/NAME`
    flag: Option<String>,
    /// Check the revisions and the head row instead: that nothing was changed or removed since it was appended
    #[arg(long, conflicts_with_all = ["since", "until", "ids", "from_checkpoint"])]
    history: bool,
    #[command(flatten)]
    exposures: ExposuresToVerify,
    #[command(flatten)]
    output: OutputArgs,
}

/// Verifies the exposures or the revisions of a project; ends with code 7 if something is wrong.
pub(crate) async fn verify(context: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    if args.history {
        history::verify(context, args).await
    } else {
        exposures::verify(context, args).await
    }
}
