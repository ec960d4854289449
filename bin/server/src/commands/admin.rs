use crate::Failure;
use crate::cli::Admin;
use crate::console::say;
use crate::settings::Settings;

pub(crate) async fn run(what: Admin, settings: &Settings) -> Result<(), Failure> {
    match what {
        #[cfg(feature = "auth")]
        Admin::Create {
            email,
            name,
            password_stdin: _,
        } => with_auth::create(settings, &email, name).await,
        #[cfg(feature = "auth")]
        Admin::Link => with_auth::link(settings).await,
        #[cfg(feature = "auth")]
        Admin::ResetLink { email } => with_auth::reset_link(settings, &email).await,
        #[cfg(feature = "auth")]
        Admin::Grant { login, role } => with_auth::grant(settings, &login, &role).await,
        #[cfg(not(feature = "auth"))]
        Admin::Token { name, scopes } => without_auth::token(settings, name, scopes),
    }
}

#[cfg(not(feature = "auth"))]
mod without_auth {
    use std::time::SystemTime;

    use cgcg_core::{Id, MasterKey, ServiceAccount, StaticToken};
    use sha2::{Digest, Sha256};

    use super::{Failure, Settings, say};

    /// Prints a token once, and the block that lets it in. Only the hash of the token is in the block.
    pub(super) fn token(
        settings: &Settings,
        name: String,
        scopes: Vec<String>,
    ) -> Result<(), Failure> {
        if settings
            .access
            .static_tokens
            .iter()
            .any(|token| token.name == name)
        {
            return Err(format!(
                "there is a token called {name:?} in the settings; choose another --name"
            )
            .into());
        }
        let token = format!("cgs1_{}", hex(MasterKey::generate()?.expose()));
        #[expect(
            clippy::disallowed_methods,
            reason = "the command line has no clock of its own"
        )]
        let id: Id<ServiceAccount> = Id::new(SystemTime::now().into());
        let sha256 = hex(&Sha256::digest(&token));
        let block = StaticToken {
            id,
            name,
            sha256,
            scopes,
            expires_at: None,
        };
        say(format!("token, shown once: {token}"));
        say("paste into cgcg.toml:\n\n[[access.static_tokens]]");
        let block = serde_json::to_value(block)?;
        for (key, value) in block.as_object().into_iter().flatten() {
            say(format!("{key} = {value}"));
        }
        Ok(())
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(feature = "auth")]
mod with_auth {
    use std::io::{self, BufRead};

    use cgcg_auth::{AdminCreate, Device};
    use cgcg_core::{Principal, Secret};

    use super::{Failure, Settings, say};
    use crate::assembly::Assembly;

    pub(super) async fn create(
        settings: &Settings,
        email: &str,
        name: Option<String>,
    ) -> Result<(), Failure> {
        let email = email.parse().map_err(|wrong| format!("--email: {wrong}"))?;
        let mut password = String::new();
        io::stdin().lock().read_line(&mut password)?;
        let password = Secret::new(password.trim_end_matches(['\r', '\n']).to_owned());
        let assembly = Assembly::open(settings).await?;
        let new = AdminCreate {
            email,
            password,
            display_name: name,
        };
        let account = assembly
            .built
            .auth
            .create_admin(&Principal::operator(), new)
            .await?;
        say(format!(
            "administrator {} made: {}",
            account.email, account.id
        ));
        Ok(())
    }

    pub(super) async fn grant(settings: &Settings, login: &str, role: &str) -> Result<(), Failure> {
        let login = login.parse().map_err(|wrong| format!("LOGIN: {wrong}"))?;
        let role = role.parse().map_err(|wrong| format!("ROLE: {wrong}"))?;
        let assembly = Assembly::open(settings).await?;
        let (operator, device) = (Principal::operator(), Device::default());
        let auth = &assembly.built.auth;
        let set = auth.grant_to(&operator, &login, role, &device).await?;
        say(format!("roles now: {}", set.roles.join(", ")));
        Ok(())
    }

    pub(super) async fn link(settings: &Settings) -> Result<(), Failure> {
        let assembly = Assembly::open(settings).await?;
        let token = assembly.built.auth.setup_token().await?;
        let token = token.ok_or("there is an administrator; the link is only for the first one")?;
        say(assembly.built.auth.setup_link(&token).expose());
        Ok(())
    }

    pub(super) async fn reset_link(settings: &Settings, email: &str) -> Result<(), Failure> {
        let email = email.parse().map_err(|wrong| format!("EMAIL: {wrong}"))?;
        let assembly = Assembly::open(settings).await?;
        let auth = &assembly.built.auth;
        let link = auth.reset_link(&Principal::operator(), &email).await?;
        say(link.expose());
        Ok(())
    }
}
