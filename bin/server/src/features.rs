//! What this program can be built with.

/// Whether a Cargo feature of the server is compiled in.
pub(crate) struct Feature {
    /// The Cargo feature, which is also the section of the settings.
    pub(crate) name: &'static str,
    /// First segments below `/api/v1`.
    pub(crate) prefixes: &'static [&'static str],
    pub(crate) built: bool,
}

/// The features that own routes. A test of the full build compares the prefixes with what the modules declare.
pub(crate) const FEATURES: &[Feature] = &[
    Feature {
        name: "users",
        prefixes: &["/users"],
        built: cfg!(feature = "users"),
    },
    Feature {
        name: "auth",
        prefixes: &["/auth"],
        built: cfg!(feature = "auth"),
    },
    Feature {
        name: "tasks",
        prefixes: &["/tasks", "/queues", "/schedules", "/leases"],
        built: cfg!(feature = "tasks"),
    },
];

/// Whether anything in this build keeps data.
pub(crate) const STORES: bool = cfg!(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "users",
    feature = "tasks"
));

/// The feature that owns `path`, where it is not compiled in.
pub(crate) fn missing(path: &str) -> Option<&'static str> {
    match path.split('/').nth(1) {
        Some("docs") if !cfg!(feature = "docs") => return Some("docs"),
        Some("metrics") if !cfg!(feature = "metrics") => return Some("metrics"),
        Some(".well-known") if !cfg!(feature = "auth") => return Some("auth"),
        _ => {}
    }
    let first = path.strip_prefix("/api/v1/")?.split('/').next()?;
    let owns = |feature: &&Feature| {
        feature
            .prefixes
            .iter()
            .any(|prefix| prefix.trim_start_matches('/') == first)
    };
    FEATURES
        .iter()
        .find(owns)
        .filter(|feature| !feature.built)
        .map(|feature| feature.name)
}

#[cfg(test)]
mod tests {
    use super::{FEATURES, missing};
    use crate::assembly::Assembly;
    use crate::settings::Settings;

    #[test]
    fn only_what_is_not_built_is_missing() {
        for feature in FEATURES {
            let path = format!("/api/v1{}/x", feature.prefixes[0]);
            assert_eq!(missing(&path), (!feature.built).then_some(feature.name));
        }
        assert_eq!(missing("/api/v1/usersx"), None);
        assert_eq!(missing("/users"), None);
    }

    #[actix_web::test]
    async fn the_table_says_what_the_modules_say() {
        let assembly = Assembly::detached(&Settings::default()).unwrap();
        for module in assembly.built.modules.iter() {
            let feature = FEATURES
                .iter()
                .find(|feature| feature.name == module.name())
                .unwrap();
            assert!(feature.built);
            assert_eq!(feature.prefixes, module.prefixes(), "{}", module.name());
        }
        assert_eq!(
            assembly.built.modules.len(),
            FEATURES.iter().filter(|feature| feature.built).count()
        );
    }
}
