//! What a change would make of a flag, and what that does. Pure; the same rules as those of `flagctl`.

use flag_model::{Percent, Revision, RevisionParts, Timestamp};
use flag_rollout::{ChangeImpact, Risk, are_equivalent, rolled_back, switched_off, with_percent};
use flag_settings::is_production;

use super::state::FlagState;
use super::wanted::Wanted;

/// The next revision of a flag, not yet appended.
#[derive(Debug)]
pub(in crate::dashboard) struct NextRevision {
    /// The revision; who makes it and why is not in it yet.
    pub(in crate::dashboard) revision: Revision,
    pub(in crate::dashboard) effect: ChangeImpact,
    /// Each needs the name of the flag to be typed.
    pub(in crate::dashboard) risks: Vec<Risk>,
    pub(in crate::dashboard) warnings: Vec<String>,
}

/// Why there is no next revision.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::dashboard) enum NoNextRevision {
    /// The flag is like this already.
    Unchanged(String),
    /// It is not possible: why.
    Refused(String),
}

/// The revision that a change makes of a flag as it is.
pub(in crate::dashboard) fn next_revision(
    state: &FlagState,
    wanted: &Wanted,
) -> Result<NextRevision, NoNextRevision> {
    let mut next = match wanted {
        Wanted::Rollback(to) => rollback(state, *to)?,
        Wanted::Percent { group, percent } => set_percent(state, group, percent)?,
        Wanted::Off { takes_overrides } => switch_off(state, *takes_overrides)?,
    };
    if let Some(ahead) = state.ahead {
        next.risks.push(Risk::Ahead);
        next.warnings.push(format!(
            "The revision of {} is ahead of the clock and comes into force at {}.",
            ahead.created, ahead.effective_from
        ));
    }
    Ok(next)
}

impl NextRevision {
    fn of(state: &FlagState, parts: RevisionParts) -> Result<Self, NoNextRevision> {
        // The time of the newest one stands for that which it will get.
        let at = state.newest_created().unwrap_or(Timestamp::UNIX_EPOCH);
        let revision = Revision::new(at, parts);
        let revision = revision.map_err(|error| NoNextRevision::Refused(error.to_string()))?;
        let effect = ChangeImpact::of(state.in_force(), &revision);
        let mut risks = effect.risks().to_vec();
        if let Some(Err(_)) = state.history.first() {
            risks.push(Risk::Unreadable);
        }
        Ok(Self {
            revision,
            risks,
            effect,
            warnings: Vec::new(),
        })
    }

    /// Whether the name of the flag must be typed: in production, and where there is a risk.
    pub(in crate::dashboard) fn wants_name(&self, environment: &str) -> bool {
        is_production(environment) || !self.risks.is_empty()
    }

    /// The next revision beside the one in force: as if the same person had made it for the same reason.
    pub(in crate::dashboard) fn preview(&self, in_force: &Revision) -> Revision {
        let parts = RevisionParts {
            comment: in_force.comment.clone(),
            owner: in_force.owner.clone(),
            rollback_of: in_force.rollback_of,
            ..self.revision.clone().into_parts()
        };
        Revision::new(in_force.created(), parts).unwrap_or_else(|_| self.revision.clone())
    }
}

fn rollback(state: &FlagState, to: Timestamp) -> Result<NextRevision, NoNextRevision> {
    let Some(target) = state.revision(to) else {
        return refused(format!("No revision that can be read was made at {to}."));
    };
    if state
        .in_force()
        .is_some_and(|newest| are_equivalent(newest, target))
    {
        return Err(NoNextRevision::Unchanged(
            "The revision in force decides as that one already.".to_owned(),
        ));
    }
    let mut next = NextRevision::of(state, rolled_back(target))?;
    if state.path().was_taken_back(target) {
        next.risks.push(Risk::UndoesRollback);
    }
    Ok(next)
}

fn set_percent(
    state: &FlagState,
    group: &str,
    percent: &str,
) -> Result<NextRevision, NoNextRevision> {
    let newest = in_force(state)?;
    let mut positions = 0..newest.treatments.len();
    let Some(position) = positions.find(|position| newest.group(*position) == group) else {
        return refused(format!(
            "There is no treatment {}.",
            flag_describe::visible(group)
        ));
    };
    let percent = Percent::parse(percent, newest.scheme.version());
    let percent = percent.map_err(|error| NoNextRevision::Refused(error.to_string()))?;
    let parts = with_percent(newest, position, percent);
    if parts.treatments == newest.treatments {
        return Err(NoNextRevision::Unchanged(format!(
            "{} has {percent} % already.",
            flag_describe::visible(group)
        )));
    }
    NextRevision::of(state, parts)
}

fn switch_off(state: &FlagState, takes_overrides: bool) -> Result<NextRevision, NoNextRevision> {
    let newest = in_force(state)?;
    let parts = switched_off(newest, takes_overrides);
    let overridden = overridden(&parts);
    if parts.treatments == newest.treatments {
        let by_name = match overridden {
            0 => String::new(),
            _ => format!(", but {overridden} by name"),
        };
        return Err(NoNextRevision::Unchanged(format!(
            "Everybody gets the control value already{by_name}."
        )));
    }
    let mut next = NextRevision::of(state, parts)?;
    // Control for everybody is what this is for.
    next.risks.retain(|risk| *risk != Risk::EveryValueChanges);
    Ok(next)
}

fn in_force(state: &FlagState) -> Result<&Revision, NoNextRevision> {
    state.in_force().map_or_else(
        || {
            refused(
                "The newest revision cannot be read, so nothing of it can be kept: roll back to an older one."
                    .to_owned(),
            )
        },
        Ok,
    )
}

fn overridden(parts: &RevisionParts) -> usize {
    let lists = parts.treatments.iter();
    lists.map(|treatment| treatment.overrides.len()).sum()
}

fn refused<T>(why: String) -> Result<T, NoNextRevision> {
    Err(NoNextRevision::Refused(why))
}

#[cfg(test)]
mod tests;
