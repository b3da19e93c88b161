//! What a key may be used for.

use std::fmt;

use flag_model::Invalid;

/// What a key may be used for. None implies another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Ask which value an instance receives.
    Evaluate,
    /// Log exposures.
    Log,
    /// Read metrics, the dashboard, and what the service says of itself.
    Read,
    /// Administer.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Evaluate, Self::Log, Self::Read, Self::Admin];

    /// The scope as it is typed and kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::Log => "log",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// Reads a scope. What was found is not repeated: it could be a secret in the wrong place.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| {
            let expected = Self::ALL.map(Self::as_str).join(", ");
            Invalid::new("scope", "another word", format!("one of {expected}"))
        })
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether the set holds a scope.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The scopes of the set, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | scope.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        for scope in Scope::ALL {
            let set = Scopes::from_iter([scope, scope]);
            let held: Vec<Scope> = set.iter().collect();
            assert_eq!(held, [scope]);
        }
        assert_eq!(Scopes::default().iter().next(), None);
    }

    #[test]
    fn every_scope_is_read_as_it_is_written() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Ok(scope));
        }
        let wrong = Scope::parse("flag_canary").unwrap_err().to_string();
        assert!(!wrong.contains("canary"), "{wrong}");
    }
}
