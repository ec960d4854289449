use std::time::Duration;

use cgcg_auth::keyring::KeyState;
use cgcg_auth::{Service, Transport};
use cgcg_core::{Clock, Db, Principal, SystemClock};

use super::Finding;
use crate::assembly::Assembly;
use crate::master_key::MasterKeys;
use crate::settings::Settings;

/// Days that the worker may be late with a rotation before somebody should look.
const LATE: Duration = Duration::from_secs(2 * 24 * 3_600);

/// What auth needs to let people in.
pub(super) async fn look(settings: &Settings, db: &Db, keys: MasterKeys) -> Vec<Finding> {
    let assembly = match Assembly::make(settings, db.clone(), keys) {
        Ok(assembly) => assembly,
        Err(failure) => return vec![Finding::fail("auth", failure.to_string())],
    };
    let auth = &assembly.built.auth;
    vec![
        administrator(auth).await,
        signing_key(auth).await,
        mail(auth).await,
        passwords(auth),
    ]
}

async fn administrator(auth: &Service) -> Finding {
    match auth.has_administrator().await {
        Ok(true) => Finding::ok("administrator", "there is one"),
        Ok(false) => Finding::warn("administrator", "there is none yet")
            .mend("open the link that each start prints, or run: cgcg admin create"),
        Err(failure) => Finding::fail("administrator", failure.to_string()),
    }
}

async fn signing_key(auth: &Service) -> Finding {
    let keys = match auth.list_keys(&Principal::operator()).await {
        Ok(keys) => keys,
        Err(failure) => return Finding::fail("signing key", failure.to_string()),
    };
    let active = keys.iter().find(|key| key.state == KeyState::Active);
    let Some(since) = active.and_then(|key| key.activate_at) else {
        return Finding::warn("signing key", "there is none yet").mend("the first start makes it");
    };
    let age = SystemClock::default().now().since(since);
    let found = format!("{} days old", age.as_secs() / (24 * 3_600));
    if age > auth.settings().keys.rotate_every.get() + LATE {
        return Finding::warn("signing key", format!("{found}, older than auth.keys.rotate_every"))
            .mend("a worker rotates it: see that one runs (cgcg, or cgcg worker), or run: cgcg keys rotate");
    }
    Finding::ok("signing key", found)
}

async fn mail(auth: &Service) -> Finding {
    match auth.settings().mail.transport {
        Transport::Log => Finding::warn("mail", "none is sent: who forgets a password needs you")
            .mend("set auth.mail.transport; until then: cgcg admin reset-link"),
        Transport::File => Finding::warn("mail", "it goes into files, for development")
            .mend("set auth.mail.transport to smtp"),
        Transport::Smtp => match auth.reach_mail().await {
            Ok(()) => Finding::ok("mail", "the mail server takes us"),
            Err(failure) => {
                Finding::fail("mail", failure.to_string()).mend("put auth.mail.smtp right")
            }
        },
    }
}

/// Source: NIST SP 800-63B-4, OWASP ASVS 5.0.
fn passwords(auth: &Service) -> Finding {
    let min = auth.settings().passwords.min;
    let found = format!("{min} characters at least");
    match min {
        15.. => Finding::ok("passwords", found),
        12..15 => Finding::ok(
            "passwords",
            format!("{found}; where they are all that is asked for, NIST wants 15"),
        ),
        _ => Finding::warn("passwords", found).mend("set auth.passwords.min to 12 or, better, 15"),
    }
}
