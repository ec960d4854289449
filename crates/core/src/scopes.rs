use crate::Grants;

/// A right that code asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeInfo {
    /// `feature:verb`.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Built-in roles that have it, beside `admin`, which has all.
    pub roles: &'static [&'static str],
}

/// One scope as a type; or two, all of which are asked for, as `(A, B)`.
pub trait ScopeSpec: 'static {
    /// The first scope that `grants` lack.
    fn missing(grants: &Grants) -> Option<&'static str>;
}

impl<A: ScopeSpec, B: ScopeSpec> ScopeSpec for (A, B) {
    fn missing(grants: &Grants) -> Option<&'static str> {
        A::missing(grants).or_else(|| B::missing(grants))
    }
}

/// Names the scopes of a feature: a marker type for each, and `ALL: &[ScopeInfo]`.
///
/// ```
/// cgcg_core::scopes! {
///     /// Read your tasks.
///     Read = "tasks:read" for user;
///     /// Read everybody's tasks.
///     ReadAll = "tasks:read:all";
/// }
/// assert_eq!(ALL[0].roles, ["user"]);
/// assert_eq!(ALL[1].about, "Read everybody's tasks.");
/// ```
///
/// With `for user` the built-in role `user` has it; without, only `admin`.
#[macro_export]
macro_rules! scopes {
    ($(#[doc = $about:literal] $name:ident = $scope:literal $(for $role:ident)*;)+) => {
        $(
            #[doc = $about]
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl $crate::ScopeSpec for $name {
                fn missing(grants: &$crate::Grants) -> Option<&'static str> {
                    (!grants.allow($scope)).then_some($scope)
                }
            }
        )+

        /// All scopes of this feature.
        pub const ALL: &[$crate::ScopeInfo] = &[$($crate::ScopeInfo {
            name: $scope,
            about: $about.trim_ascii(),
            roles: &[$(stringify!($role)),*],
        }),+];
    };
}
