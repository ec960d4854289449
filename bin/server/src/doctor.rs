//! Whether all is well, without changing anything.

#[cfg(feature = "auth")]
mod accounts;
mod finding;
mod machine;
mod network;
mod storage;

pub(crate) use finding::{Finding, State};

use crate::cli::Common;
use crate::features;
use crate::settings::Loaded;

/// Everything that can be looked at, in the order in which one thing needs the other.
pub(crate) async fn examine(options: &Common) -> Vec<Finding> {
    let loaded = match Loaded::new(options) {
        Ok(loaded) => loaded,
        Err(wrong) => {
            let mend = "put it right; `cgcg config sample` prints every setting";
            let lines = wrong.0.into_iter();
            return lines
                .map(|line| Finding::fail("settings", line).mend(mend))
                .collect();
        }
    };
    let mut findings = settings(&loaded);
    findings.extend(network::look(&loaded.settings));
    if features::STORES {
        findings.extend(machine::look(&loaded.settings));
        findings.extend(storage::look(&loaded.settings).await);
    }
    findings
}

fn settings(loaded: &Loaded) -> Vec<Finding> {
    let warnings = loaded.warnings.iter();
    let warnings = warnings.map(|warning| Finding::warn("settings", warning.clone()));
    let shown = loaded.readable_secrets().into_iter().map(|(key, file)| {
        let file = file.display();
        Finding::warn(
            "settings",
            format!("{key} stands in {file}, which others can read"),
        )
        .mend(format!("chmod 600 {file}"))
    });
    let mut findings: Vec<_> = warnings.chain(shown).collect();
    if findings.is_empty() {
        findings.push(Finding::ok("settings", "right"));
    }
    findings
}
