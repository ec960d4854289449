//! A program without HTTP that keeps its accounts in cgcg-users and its logins here, in a database of its own.

use std::error::Error;
use std::sync::Arc;

use cgcg_auth::{AccountCreate, Credentials, Device, Host, Service, Settings};
use cgcg_core::{
    AccountObserver, Authenticator, Clock, Credential, Db, FeatureKeys, MasterKey, NoPublisher,
    Principal, Publisher, ScopeInfo, Secret, SystemClock,
};

/// What this program asks for.
const SCOPES: &[ScopeInfo] = &[ScopeInfo {
    name: "notes:read",
    about: "Read your notes.",
    roles: &["user"],
}];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = cgcg_testkit::folder();
    let db = Db::connect(&format!("sqlite:{}/host.db", folder.path().display())).await?;
    for tables in [
        &cgcg_core::MIGRATIONS,
        &cgcg_users::MIGRATIONS,
        &cgcg_auth::MIGRATIONS,
    ] {
        tables.run(&db).await?;
    }
    let (auth, users) = services(db)?;
    auth.open(SCOPES).await?;

    let password = Secret::new("correct horse battery".to_owned());
    let new = AccountCreate {
        email: "ada@example.org".parse()?,
        password: password.clone(),
        display_name: Some("Ada".to_owned()),
        username: Some("ada".parse()?),
    };
    let welcome = auth.register(new, &Device::default()).await?;
    let account = welcome
        .account()
        .ok_or("the address has to be proved first")?;
    println!("registered {} as {}", account.email, account.id);

    let credentials = Credentials {
        login: "ada".to_owned(),
        password,
    };
    let tokens = auth.login(&credentials, &Device::default()).await?;
    let ada = auth
        .authenticate(Credential::Bearer(tokens.access_token.expose()))
        .await?;
    println!(
        "logged in; may read notes: {}",
        ada.grants.allow("notes:read")
    );

    let tokens = auth
        .refresh(&tokens.refresh_token, &Device::default())
        .await?;
    println!(
        "refreshed; the next refresh is due within {} s",
        tokens.refresh_expires_in
    );

    auth.logout(&ada, &Device::default()).await?;
    println!(
        "logged out; refresh: {}",
        outcome(
            auth.refresh(&tokens.refresh_token, &Device::default())
                .await
        )
    );

    users.disable(&Principal::operator(), account.id).await?;
    println!(
        "disabled; login: {}",
        outcome(auth.login(&credentials, &Device::default()).await)
    );
    Ok(())
}

fn services(db: Db) -> Result<(Service, cgcg_users::Service), Box<dyn Error>> {
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER
        .install_default()
        .map_err(|_| "the crypto is chosen already")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let publisher: Arc<dyn Publisher> = Arc::new(NoPublisher);
    let accounts = cgcg_users::Directory::new(clock.clone(), publisher.clone());
    // A real program keeps its master key.
    let keys = FeatureKeys {
        current: MasterKey::generate()?.derive("auth")?,
        previous: None,
    };
    let auth = Service::new(
        db.clone(),
        clock.clone(),
        Settings::default(),
        keys,
        Arc::new(accounts.clone()),
        publisher.clone(),
        Host::default(),
    )?;
    // What happens to an account ends its sessions: auth is the first to be asked.
    let observers: Vec<Arc<dyn AccountObserver>> = vec![Arc::new(auth.clone())];
    let settings = cgcg_users::Settings::default();
    let users = cgcg_users::Service::new(db, clock, settings, accounts, observers, publisher);
    Ok((auth, users))
}

fn outcome<T>(result: Result<T, cgcg_auth::Error>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}
