//! Which flags of a project are shown, and in which order.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flag_describe::visible;
use flag_model::{FlagKey, FlagType, Timestamp};

use crate::dashboard::listing::{FlagSummary, LastExposure, LastExposures};
use crate::dashboard::parts::{Pager, ago};
use crate::dashboard::query::Query;

/// Flags on a page.
const PER_PAGE: usize = 50;

/// Which flags are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    words: Vec<String>,
    flag_type: Option<FlagType>,
    /// A part of the owner, in lower case.
    owner: Option<String>,
    /// A part of one of the tags, in lower case.
    tag: Option<String>,
    pub(super) state: Option<State>,
    sort: SortBy,
}

/// Their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SortBy {
    #[default]
    Name,
    Changed,
    Owner,
}

/// Something remarkable about a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its newest row cannot be read.
    Unreadable,
    /// It has metadata only.
    NoRevision,
    /// It is served by its last known value.
    Stale,
    /// It should have been removed from the code.
    Expired,
    /// It gives all the same value, and has for 30 days.
    Unchanged,
    /// It had no exposure in 7 days.
    NotAsked,
    /// Its value is frozen until the code no longer asks for it.
    Retired,
}

/// What states depend on besides the flag.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) now: Timestamp,
    pub(super) stale: BTreeMap<FlagKey, Timestamp>,
    pub(super) last_exposures: Arc<LastExposures>,
}

/// A page of the flags that were found.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) flags: Vec<(Arc<FlagSummary>, Vec<State>)>,
    /// How many were found on all pages.
    pub(super) found: usize,
    pub(super) pager: Pager,
}

impl SortBy {
    /// Values of the parameter, with their texts.
    pub(super) const CHOICES: [(&'static str, &'static str); 3] = [
        ("", "by name"),
        ("changed", "last changed first"),
        ("owner", "by owner"),
    ];
}

impl State {
    const ALL: [Self; 7] = [
        Self::Unreadable,
        Self::NoRevision,
        Self::Stale,
        Self::Expired,
        Self::Unchanged,
        Self::NotAsked,
        Self::Retired,
    ];

    /// Values of the parameter, with their texts.
    pub(super) const CHOICES: [(&'static str, &'static str); 8] = [
        ("", "any"),
        ("unreadable", "unreadable"),
        ("no-revision", "no revision yet"),
        ("stale", "last known value"),
        ("expired", "expired"),
        ("unchanged", "unchanged for 30 days"),
        ("not-asked", "not asked for in 7 days"),
        ("retired", "retired"),
    ];

    /// Its class, which is also its value of the parameter.
    pub(super) fn class(self) -> &'static str {
        let choice = Self::CHOICES.get(1 + self as usize);
        choice.map_or("", |(value, _)| value)
    }

    /// What is remarkable.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NoRevision => "no revision yet",
            Self::Stale => "served by last known value",
            Self::Expired => "expired",
            Self::Unchanged => "unchanged for 30 days at 0 or 100 %",
            Self::NotAsked => "not asked for in 7 days",
            Self::Retired => "retired",
        }
    }
}

impl Context {
    fn states(&self, flag: &FlagSummary) -> Vec<State> {
        let has = |state: &State| match state {
            State::Unreadable => flag.problem().is_some(),
            State::NoRevision => flag.revision.is_none(),
            State::Stale => self.stale.contains_key(&flag.flag),
            State::Expired => flag.is_expired(self.now),
            State::Unchanged => flag.is_unchanged(self.now),
            State::NotAsked => self.is_not_asked(flag),
            State::Retired => flag.is_retired,
        };
        State::ALL.into_iter().filter(has).collect()
    }

    /// About when the last exposure of a flag was, as a text; `None` if that is not known, or was read more than an hour ago.
    pub(super) fn last_exposure_text(&self, flag: &FlagSummary) -> Option<String> {
        let passed = self.now.since(self.last_exposures.get(&flag.flag)?.time()?);
        if passed < Duration::from_hours(2) {
            return Some("asked for in the last 2 hours".to_owned());
        }
        Some(format!("last asked for about {}", ago(passed)))
    }

    /// Whether it had no exposure in 7 days; a flag that was changed within that time may be too new to have one.
    fn is_not_asked(&self, flag: &FlagSummary) -> bool {
        let days = u64::try_from(LastExposure::DAYS).unwrap_or_default();
        let is_old = flag
            .changed()
            .is_some_and(|changed| self.now.since(changed) > Duration::from_hours(24 * days));
        let last = self.last_exposures.get(&flag.flag);
        is_old && last.is_some_and(|last| !last.exists())
    }
}

impl Selection {
    /// Reads the parameters of a page.
    pub(super) fn read(query: &Query) -> Self {
        let words = query.get("q").to_lowercase();
        let state = query.given("state");
        Self {
            words: words.split_whitespace().map(str::to_owned).collect(),
            flag_type: FlagType::parse(query.get("type")).ok(),
            owner: query.given("owner").map(str::to_lowercase),
            tag: query.given("tag").map(str::to_lowercase),
            state: state.and_then(|found| {
                let mut states = State::ALL.into_iter();
                states.find(|state| state.class() == found)
            }),
            sort: match query.get("sort") {
                "changed" => SortBy::Changed,
                "owner" => SortBy::Owner,
                _ => SortBy::Name,
            },
        }
    }

    /// A page of the flags that it fits; the flags are in order of their names.
    pub(super) fn select(
        &self,
        flags: &[Arc<FlagSummary>],
        context: &Context,
        query: &Query,
    ) -> Selected {
        let fits_all = self.fits_all();
        let fits = |flag: &&Arc<FlagSummary>| fits_all || self.fits(flag, context);
        let mut found: Vec<&Arc<FlagSummary>> = flags.iter().filter(fits).collect();
        match self.sort {
            // As they are.
            SortBy::Name => {}
            SortBy::Changed => found.sort_by_key(|flag| Reverse(flag.changed())),
            SortBy::Owner => found.sort_by_key(|flag| (flag.owner.is_empty(), &flag.owner)),
        }
        let pager = Pager::new(query, found.len(), PER_PAGE);
        let before = (pager.page - 1) * PER_PAGE;
        let shown = found.iter().skip(before).take(PER_PAGE);
        let shown = shown.map(|flag| (Arc::clone(flag), context.states(flag)));
        Selected {
            flags: shown.collect(),
            found: found.len(),
            pager,
        }
    }

    /// Whether it fits any flag; then none of them has to be looked at.
    fn fits_all(&self) -> bool {
        self.words.is_empty()
            && self.flag_type.is_none()
            && self.owner.is_none()
            && self.tag.is_none()
            && self.state.is_none()
    }

    fn fits(&self, flag: &FlagSummary, context: &Context) -> bool {
        let owner = self.owner.as_ref();
        let tag = self.tag.as_ref();
        self.flag_type
            .is_none_or(|flag_type| flag.flag.flag_type == flag_type)
            && owner.is_none_or(|owner| has(&flag.owner, owner))
            && tag.is_none_or(|part| flag.tags.iter().any(|tag| has(tag, part)))
            && flag.has_words(&self.words)
            && self
                .state
                .is_none_or(|state| context.states(flag).contains(&state))
    }
}

/// Whether a text, or what a field suggests for it, has this part, which is in lower case.
fn has(text: &str, part: &str) -> bool {
    let contains = |text: &str| text.to_lowercase().contains(part);
    contains(text) || (part.starts_with('"') && contains(&visible(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flags `f0`, `f1`, … of which the third ones belong to Ann, and the second ones have the tag `T1`.
    fn flags(count: usize) -> Vec<Arc<FlagSummary>> {
        let flags = (0..count).map(|n| {
            let owner = if n % 3 == 0 { "Ann" } else { "Bob" };
            let mut flag = FlagSummary::for_tests(&format!("f{n}"), owner);
            flag.tags = vec!["both".to_owned(), format!("T{}", n % 2)];
            Arc::new(flag)
        });
        let mut flags: Vec<_> = flags.collect();
        flags.sort_by(|one, other| one.flag.name.cmp(&other.flag.name));
        flags
    }

    #[track_caller]
    fn check(query: &str, count: usize, first: &str, found: usize, page: usize) {
        let context = Context {
            now: Timestamp::UNIX_EPOCH,
            stale: BTreeMap::new(),
            last_exposures: Arc::default(),
        };
        let parsed = Query::parse(query.as_bytes());
        let selected = Selection::read(&parsed).select(&flags(count), &context, &parsed);
        let name = selected
            .flags
            .first()
            .map(|(flag, _)| flag.flag.name.as_str());
        assert_eq!(name.unwrap_or_default(), first, "{query}");
        assert_eq!(
            (selected.found, selected.pager.page),
            (found, page),
            "{query}"
        );
        assert!(selected.flags.len() <= PER_PAGE);
    }

    #[test]
    fn the_address_says_which_flags_are_shown() {
        check("", 120, "f0", 120, 1);
        check("page=3", 120, "f81", 120, 3);
        check("page=99", 120, "f81", 120, 3);
        check("page=0", 120, "f0", 120, 1);
        check("q=F11+ANN", 120, "f111", 3, 1);
        check("owner=ann&q=f1", 120, "f102", 9, 1);
        check("owner=aN", 120, "f0", 40, 1);
        check("owner=ann2", 120, "", 0, 1);
        check("tag=T1", 120, "f1", 60, 1);
        check("type=data", 120, "", 0, 1);
        check("state=no-revision", 120, "f0", 120, 1);
        check("state=expired", 120, "", 0, 1);
        check("sort=owner&page=2", 120, "f110", 120, 2);
    }

    #[test]
    fn each_state_has_its_choice() {
        for state in State::ALL {
            let query = format!("state={}", state.class());
            let selection = Selection::read(&Query::parse(query.as_bytes()));
            assert_eq!(selection.state, Some(state));
        }
    }
}
