use std::collections::BTreeSet;
use std::sync::Arc;

/// The scopes that a principal has. `*` has them all. A cheap clone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants(Arc<BTreeSet<String>>);

/// The scope that has all others.
const ALL: &str = "*";

impl Grants {
    /// Every scope, of whatever feature.
    pub fn all() -> Self {
        Self::from_iter([ALL])
    }

    /// Whether `scope` is granted.
    pub fn allow(&self, scope: &str) -> bool {
        self.0.contains(scope) || self.0.contains(ALL)
    }

    /// Whether whoever has these may give `other` away: nobody grants what they lack.
    pub fn cover(&self, other: &Self) -> bool {
        other.iter().all(|scope| self.allow(scope))
    }

    /// What both have.
    #[must_use]
    pub fn narrow(&self, to: &Self) -> Self {
        let mine = self.iter().filter(|scope| to.allow(scope));
        let theirs = to.iter().filter(|scope| self.allow(scope));
        mine.chain(theirs).collect()
    }

    /// In alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<S: Into<String>> FromIterator<S> for Grants {
    /// Beside `*` no other says anything: it is left out.
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        let mut scopes: BTreeSet<String> = scopes.into_iter().map(Into::into).collect();
        if scopes.contains(ALL) {
            scopes.retain(|scope| scope == ALL);
        }
        Self(Arc::new(scopes))
    }
}

#[cfg(test)]
mod tests {
    use super::Grants;

    #[test]
    fn narrowing_never_adds_a_scope() {
        let narrow = |mine: &[&str], to: &[&str]| -> Vec<String> {
            let (mine, to): (Grants, Grants) =
                (mine.iter().copied().collect(), to.iter().copied().collect());
            mine.narrow(&to).iter().map(str::to_owned).collect()
        };
        assert_eq!(narrow(&["a", "b"], &["b", "c"]), ["b"]);
        assert_eq!(narrow(&["*"], &["b"]), ["b"]);
        assert_eq!(narrow(&["b"], &["*"]), ["b"]);
        assert_eq!(narrow(&["*"], &["*"]), ["*"]);
        assert!(narrow(&["a"], &[]).is_empty());
    }

    #[test]
    fn whoever_has_all_is_told_so_in_one_word() {
        let grants: Grants = ["users:read", "*", "tasks:read"].into_iter().collect();
        assert_eq!(grants.iter().collect::<Vec<_>>(), ["*"]);
    }

    #[test]
    fn only_all_covers_all() {
        let some: Grants = ["users:read"].into_iter().collect();
        assert!(Grants::all().cover(&some) && Grants::all().cover(&Grants::all()));
        assert!(!some.cover(&Grants::all()));
    }
}
