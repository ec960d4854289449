//! Accounts in a table of the host's own: all that auth knows of accounts is what the seam says.

mod members;

use std::sync::Arc;

use cgcg_core::{
    AccountChange, AccountObserver, Authenticator, Credential, Db, Denied, Id, ObserverError,
    Principal, User,
};
use cgcg_testkit::{TestClock, both};

use super::mailbox::{Mailbox, token};
use super::{Bed, CATALOGUE, PASSWORD, Published, keys, new_account, secret};
use crate::{
    AdminCreate, Credentials, Device, EmailChange, Error, Host, ImportUser, Imported, MIGRATIONS,
    PasswordReset, Service, Settings, Tokens, Welcome,
};
use members::Members;

const OTHER: &str = "staple of correct horses";

/// Auth, and whoever keeps the accounts beside it.
struct Guest {
    db: Db,
    auth: Service,
    mailbox: Arc<Mailbox>,
    keeper: Keeper,
}

enum Keeper {
    Users(Box<cgcg_users::Service>),
    Members,
}

impl Guest {
    async fn of_users(db: Db) -> Self {
        let bed = Bed::new(db).await;
        Self::kept_by_users(bed)
    }

    async fn of_users_with_mail(db: Db) -> Self {
        let bed = Bed::with_mail(db, Settings::default()).await;
        Self::kept_by_users(bed)
    }

    fn kept_by_users(bed: Bed) -> Self {
        Self {
            db: bed.db,
            auth: bed.auth,
            mailbox: bed.mailbox,
            keeper: Keeper::Users(Box::new(bed.users)),
        }
    }

    /// Without the tables of users, and without their crate.
    async fn of_members(db: Db) -> Self {
        Self::kept_by_members(db, Host::default(), Arc::default()).await
    }

    async fn of_members_with_mail(db: Db) -> Self {
        let mailbox = Arc::<Mailbox>::default();
        let host = Host {
            public_url: Some("https://api.example.org".to_owned()),
            mailer: Some(mailbox.clone()),
            ..Host::default()
        };
        Self::kept_by_members(db, host, mailbox).await
    }

    async fn kept_by_members(db: Db, host: Host, mailbox: Arc<Mailbox>) -> Self {
        // Only the first call of a process can succeed.
        jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER
            .install_default()
            .ok();
        cgcg_core::MIGRATIONS.run(&db).await.unwrap();
        MIGRATIONS.run(&db).await.unwrap();
        members::make_table(&db).await;
        let clock = Arc::new(TestClock::default());
        let auth = Service::new(
            db.clone(),
            clock.clone(),
            Settings::default(),
            keys(7),
            Arc::new(Members(clock)),
            Arc::<Published>::default(),
            host,
        )
        .unwrap();
        auth.open(CATALOGUE).await.unwrap();
        Self {
            db,
            auth,
            mailbox,
            keeper: Keeper::Members,
        }
    }

    /// Does to an account what its keeper does, the observer asked first. The code of a refusal.
    async fn change(&self, id: Id<User>, change: AccountChange) -> Result<(), &'static str> {
        let by = Principal::operator();
        let Keeper::Users(users) = &self.keeper else {
            let mut conn = self.db.begin().await.unwrap();
            let asked = self.auth.before_change(&mut conn, &by, id, change).await;
            asked.map_err(|refusal| match refusal {
                ObserverError::Refused { code } => code,
                ObserverError::Database(failure) => panic!("{failure}"),
            })?;
            members::change(&mut conn, id, change).await;
            conn.commit().await.unwrap();
            return Ok(());
        };
        let changed = match change {
            AccountChange::Disabled => users.disable(&by, id).await.map(drop),
            AccountChange::Enabled => users.enable(&by, id).await.map(drop),
            AccountChange::Deleted => users.remove(&by, id).await,
            AccountChange::EmailChanged => panic!("auth does that"),
        };
        changed.map_err(|refusal| match refusal {
            cgcg_users::Error::Refused { code } => code,
            other => panic!("{other}"),
        })
    }

    async fn register(&self, email: &str, username: &str) -> Result<Id<User>, Error> {
        let mut new = new_account(email);
        new.username = Some(username.parse().unwrap());
        let made = self.auth.register(new, &Device::default()).await?;
        Ok(made.account().unwrap().id)
    }

    async fn log_in(&self, login: &str, password: &str) -> Result<Tokens, Error> {
        let (login, password) = (login.to_owned(), secret(password));
        let credentials = Credentials { login, password };
        self.auth.login(&credentials, &Device::default()).await
    }

    async fn who(&self, tokens: &Tokens) -> Result<Arc<Principal>, Denied> {
        let bearer = Credential::Bearer(tokens.access_token.expose());
        self.auth.authenticate(bearer).await
    }

    /// Templates and addresses of what was sent since, and the token of the last one with a link.
    async fn mails(
        &self,
    ) -> (
        Vec<(&'static str, String)>,
        Option<cgcg_core::Secret<String>>,
    ) {
        self.auth.errands_end().await;
        while self.auth.send_due(50).await.unwrap() > 0 {}
        let mails = self.mailbox.take();
        let linked = mails.iter().rfind(|mail| mail.text.contains("https://"));
        let sent = mails
            .iter()
            .map(|mail| (mail.template, mail.to.to_string()));
        let mut sent: Vec<_> = sent.collect();
        sent.sort_unstable();
        (sent, linked.map(token))
    }
}

/// An account from its first day to its last, on a server without mail.
async fn a_life(guest: &Guest) {
    let ada = guest.register("Ada@Example.org", "ada").await.unwrap();
    let taken = guest.register("ada@example.ORG", "other").await;
    assert!(matches!(taken, Err(Error::EmailTaken)), "{taken:?}");
    let taken = guest.register("eve@example.org", "ada").await;
    assert!(matches!(taken, Err(Error::UsernameTaken)), "{taken:?}");
    for login in ["ADA@example.org", "ada"] {
        let wrong = guest.log_in(login, OTHER).await;
        assert!(matches!(wrong, Err(Error::InvalidCredentials)), "{wrong:?}");
        let tokens = guest.log_in(login, PASSWORD).await.unwrap();
        assert_eq!(guest.who(&tokens).await.unwrap().user(), Some(ada));
    }
    let tokens = guest.log_in("ada", PASSWORD).await.unwrap();
    let tokens = guest
        .auth
        .refresh(&tokens.refresh_token, &Device::default())
        .await
        .unwrap();
    let by = guest.who(&tokens).await.unwrap();
    let change = EmailChange {
        new_email: "ada@example.com".parse().unwrap(),
        password: secret(PASSWORD),
    };
    guest
        .auth
        .change_email(&by, change, &Device::default())
        .await
        .unwrap();
    let old = guest.log_in("ada@example.org", PASSWORD).await;
    assert!(matches!(old, Err(Error::InvalidCredentials)), "{old:?}");
    guest.log_in("ada@example.com", PASSWORD).await.unwrap();

    guest.change(ada, AccountChange::Disabled).await.unwrap();
    assert_eq!(guest.who(&tokens).await.unwrap_err(), Denied::Invalid);
    let off = guest.log_in("ada", PASSWORD).await;
    assert!(matches!(off, Err(Error::AccountDisabled)), "{off:?}");
    guest.change(ada, AccountChange::Enabled).await.unwrap();
    let tokens = guest.log_in("ada", PASSWORD).await.unwrap();
    guest.change(ada, AccountChange::Deleted).await.unwrap();
    assert_eq!(guest.who(&tokens).await.unwrap_err(), Denied::Invalid);
    let gone = guest.log_in("ada", PASSWORD).await;
    assert!(matches!(gone, Err(Error::InvalidCredentials)), "{gone:?}");
    assert_ne!(guest.register("ada@example.com", "ada").await.unwrap(), ada);
}

/// Accounts that are made in other ways than by their owners.
async fn the_others(guest: &Guest) {
    let operator = Principal::operator();
    let new = AdminCreate {
        email: "root@example.org".parse().unwrap(),
        password: secret(PASSWORD),
        display_name: Some("Root".to_owned()),
    };
    let root = guest.auth.create_admin(&operator, new).await.unwrap().id;
    let last = guest.change(root, AccountChange::Disabled).await;
    assert_eq!(last, Err("last_admin"));
    assert_eq!(guest.change(root, AccountChange::Deleted).await, last);
    guest.log_in("root@example.org", PASSWORD).await.unwrap();

    let row = |json| serde_json::from_value::<ImportUser>(json).unwrap();
    let bcrypt = "$2b$05$UJg8I2umjwAnTnyyGZiMB.lAavawthfNcG5CQIMUBPqiAh4sOyoLq";
    let rows = [
        row(
            serde_json::json!({"email": "bob@example.org", "username": "bob", "password_hash": bcrypt}),
        ),
        row(serde_json::json!({"email": "ROOT@example.org", "password_hash": bcrypt})),
    ];
    let imported = guest.auth.import(&operator, &rows).await.unwrap();
    assert!(
        matches!(imported[..], [Imported::Made(_), Imported::Present]),
        "{imported:?}"
    );
    guest.log_in("bob", PASSWORD).await.unwrap();

    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let auth = guest.auth.clone();
        tries.spawn(async move {
            auth.register(new_account("eve@example.org"), &Device::default())
                .await
        });
    }
    let made = tries.join_all().await;
    assert_eq!(
        made.iter().filter(|made| made.is_ok()).count(),
        1,
        "{made:?}"
    );
    let lost =
        |made: &&Result<Welcome, Error>| matches!(made, Err(Error::EmailTaken | Error::Overloaded));
    assert_eq!(made.iter().filter(lost).count(), 7, "{made:?}");
}

/// Addresses that are proved, forgotten passwords, and a move.
async fn letters(guest: &Guest) {
    let here = Device::default();
    for told in ["verify", "already_registered"] {
        let welcome = guest
            .auth
            .register(new_account("ada@example.org"), &here)
            .await
            .unwrap();
        assert!(matches!(welcome, Welcome::CheckEmail));
        let (sent, token) = guest.mails().await;
        assert_eq!(sent, [(told, "ada@example.org".to_owned())]);
        if token.is_some() {
            // Too early, and the password is right: a newer link takes the place of the first one.
            let early = guest.log_in("ada@example.org", PASSWORD).await;
            assert!(matches!(early, Err(Error::InvalidCredentials)), "{early:?}");
            let newer = guest.mails().await.1.unwrap();
            guest.auth.verify_email(&newer, &here).await.unwrap();
        }
    }
    guest
        .auth
        .forgot("ADA@example.org".parse().unwrap(), &here)
        .await
        .unwrap();
    let new = PasswordReset {
        token: guest.mails().await.1.unwrap(),
        new_password: secret(OTHER),
    };
    guest.auth.reset(&new, &here).await.unwrap();
    let tokens = guest.log_in("ada@example.org", OTHER).await.unwrap();
    let by = guest.who(&tokens).await.unwrap();
    guest.mails().await;
    let change = EmailChange {
        new_email: "ada@example.com".parse().unwrap(),
        password: secret(OTHER),
    };
    guest.auth.change_email(&by, change, &here).await.unwrap();
    let token = guest.mails().await.1.unwrap();
    guest.log_in("ada@example.org", OTHER).await.unwrap();
    guest.auth.verify_email(&token, &here).await.unwrap();
    assert_eq!(
        guest.mails().await.0,
        [("email_changed", "ada@example.org".to_owned())]
    );
    assert_eq!(guest.who(&tokens).await.unwrap_err(), Denied::Invalid);
    guest.log_in("ada@example.com", OTHER).await.unwrap();
}

both! {
    async fn u2_accounts_of_our_own_crate_live_here(db: Db) {
        a_life(&Guest::of_users(db).await).await;
    }

    async fn u2_accounts_of_a_foreign_directory_live_here_too(db: Db) {
        a_life(&Guest::of_members(db).await).await;
    }

    async fn u2_accounts_that_others_make_are_ours(db: Db) {
        the_others(&Guest::of_users(db).await).await;
    }

    async fn u2_accounts_that_others_make_in_a_foreign_directory_are_its_own(db: Db) {
        the_others(&Guest::of_members(db).await).await;
    }

    async fn u2_letters_reach_accounts_of_our_own_crate(db: Db) {
        letters(&Guest::of_users_with_mail(db).await).await;
    }

    async fn u2_letters_reach_accounts_of_a_foreign_directory(db: Db) {
        letters(&Guest::of_members_with_mail(db).await).await;
    }
}
