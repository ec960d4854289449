use std::sync::Mutex;

use cgcg_core::{BoxFuture, Id, Secret, User};

use super::Bed;
use crate::{Device, Mail, MailError, Mailer};

/// Keeps what it is given, or fails as it is told.
#[derive(Default)]
pub(super) struct Mailbox {
    mails: Mutex<Vec<Mail>>,
    failure: Mutex<Option<MailError>>,
}

impl Mailbox {
    /// From now on every mail fails so; or none.
    pub(super) fn fail(&self, failure: Option<MailError>) {
        *self.failure.lock().unwrap() = failure;
    }

    /// What came since the last look.
    pub(super) fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.mails.lock().unwrap())
    }
}

impl Mailer for Mailbox {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailError>> {
        let failure = self.failure.lock().unwrap().clone();
        if failure.is_none() {
            self.mails.lock().unwrap().push(mail.clone());
        }
        Box::pin(async { failure.map_or(Ok(()), Err) })
    }
}

impl Bed {
    /// Sends all that is due, and takes it out of the mailbox.
    pub(super) async fn mails(&self) -> Vec<Mail> {
        self.auth.errands_end().await;
        while self.auth.send_due(50).await.unwrap() > 0 {}
        self.mailbox.take()
    }

    /// Templates and addresses of all mail that is due, in alphabetical order: no time passes between two mails.
    pub(super) async fn mailed(&self) -> Vec<(&'static str, String)> {
        let mails = self.mails().await.into_iter();
        let mut mailed: Vec<_> = mails
            .map(|mail| (mail.template, mail.to.to_string()))
            .collect();
        mailed.sort_unstable();
        mailed
    }

    /// The token of the one mail that is due.
    pub(super) async fn token(&self, template: &str) -> Secret<String> {
        let mails = self.mails().await;
        let [mail] = &mails[..] else {
            panic!("not one mail: {mails:?}")
        };
        assert_eq!(mail.template, template);
        token(mail)
    }

    /// Asks for a link to reset the password, and takes it out of the mail.
    pub(super) async fn forgotten(&self, email: &str) -> Secret<String> {
        let email = email.parse().unwrap();
        self.auth.forgot(email, &Device::default()).await.unwrap();
        self.token("reset").await
    }

    pub(super) async fn is_verified(&self, id: Id<User>) -> bool {
        self.users
            .get(id)
            .await
            .unwrap()
            .email_verified_at
            .is_some()
    }
}

/// What stands behind the `#` of the link, which is the same in both forms.
pub(super) fn token(mail: &Mail) -> Secret<String> {
    let link = mail
        .text
        .split_whitespace()
        .find(|word| word.starts_with("https://"));
    let link = link.expect("a link");
    assert!(mail.html.contains(&format!("href=\"{link}\"")));
    let (page, token) = link.split_once('#').unwrap();
    assert!(page.starts_with("https://api.example.org/api/v1/auth/pages/"));
    Secret::new(token.to_owned())
}
