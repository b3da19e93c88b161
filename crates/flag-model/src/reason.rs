//! Which rule decided.

use std::fmt;

/// Which rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// An override list holds the instance.
    Override,
    /// A treatment owns the instance's bucket.
    Rollout,
    /// Neither.
    Control,
    /// Whichever decided: the answer listed all flags, and the application may not have used this one. Only in the exposure log.
    Delivered,
}

impl Reason {
    /// The word for it in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Rollout => "rollout",
            Self::Control => "control",
            Self::Delivered => "delivered",
        }
    }

    /// Reads the word for it.
    pub fn parse(text: &str) -> Option<Self> {
        let reasons = [
            Self::Override,
            Self::Rollout,
            Self::Control,
            Self::Delivered,
        ];
        reasons.into_iter().find(|reason| reason.as_str() == text)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_the_names_that_logs_and_metrics_use() {
        for (reason, name) in [
            (Reason::Override, "override"),
            (Reason::Rollout, "rollout"),
            (Reason::Control, "control"),
            (Reason::Delivered, "delivered"),
        ] {
            assert_eq!((reason.as_str(), &*reason.to_string()), (name, name));
            assert_eq!(Reason::parse(name), Some(reason));
        }
        assert_eq!(Reason::parse("Override"), None);
    }
}
