//! `flagctl verify`: checks records of the past.
//!
//! What the log says is in [`exposures`].
mod exposures;

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
    #[command(flatten)]
    exposures: ExposuresToVerify,
    #[command(flatten)]
    output: OutputArgs,
}

/// Verifies the exposures of a project; ends with code 7 if something is wrong.
pub(crate) async fn verify(context: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    exposures::verify(context, args).await
}
