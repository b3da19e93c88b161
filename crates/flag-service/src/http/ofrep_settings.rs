//! Settings of OFREP.

use flag_model::ProjectName;

/// Settings of OFREP.
#[derive(Clone, Debug)]
pub(crate) struct OfrepSettings {
    /// The project of requests that name none.
    pub(crate) default_project: Option<ProjectName>,
    /// The most flags of a bulk answer.
    pub(crate) max_flags: usize,
    /// Whether the evaluations of a bulk answer are logged.
    pub(crate) bulk_exposures: BulkExposures,
    /// The reason for the control value of a flag with treatments.
    pub(crate) control_reason: ControlReason,
}

/// Whether the evaluations of a bulk answer are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BulkExposures {
    /// They are not: the application may show none of them.
    None,
    /// They are, with a reason of their own.
    Delivered,
}

/// The reason for the control value of a flag with treatments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ControlReason {
    /// `DEFAULT`, as OpenFeature names it; the schema of the protocol lacks it.
    Default,
    /// `UNKNOWN`, as the schema has no better one.
    Unknown,
}
