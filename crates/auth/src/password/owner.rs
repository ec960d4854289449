use cgcg_core::{Account, Email, NewAccount};

/// More letters than these beside a name make a password of their own.
const ADDED: usize = 4;

/// Whose password it is, and where: what is known of both is guessed first.
#[derive(Debug, Clone, Default)]
pub struct Owner(Vec<String>);

impl Owner {
    /// Somebody with these names.
    pub fn new(email: &Email, username: Option<&str>, display_name: Option<&str>) -> Self {
        let email = email.as_str();
        let local = email.split_once('@').map_or(email, |(local, _)| local);
        let names = [Some(local), Some(email), username, display_name];
        Self(names.into_iter().flatten().map(str::to_owned).collect())
    }

    /// What is known of the place: its product, its public host, and the names that the host is made of.
    pub(crate) fn of_host(public_url: Option<&str>) -> Self {
        let host = public_url
            .and_then(|url| url.split_once("://"))
            .and_then(|(_, rest)| rest.split(['/', ':']).next())
            .unwrap_or_default();
        let names = ["cgcg", host].into_iter().chain(host.split('.'));
        Self(
            names
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Whether the password is one of the names, with up to four letters added. Only letters and digits of a name
    /// are looked for: `ada.lovelace` and `Ada Lovelace` are one.
    pub(super) fn is_named(&self, password: &str) -> bool {
        let (length, letters) = (password.chars().count(), squeezed(password));
        self.0.iter().any(|name| {
            let squeezed = squeezed(name);
            let added = length.saturating_sub(name.chars().count());
            !squeezed.is_empty() && added <= ADDED && letters.contains(&squeezed)
        })
    }
}

impl From<&NewAccount> for Owner {
    fn from(account: &NewAccount) -> Self {
        let username = account.username.as_ref().map(|name| name.as_str());
        Self::new(&account.email, username, account.display_name.as_deref())
    }
}

impl From<&Account> for Owner {
    fn from(account: &Account) -> Self {
        let username = account.username.as_ref().map(|name| name.as_str());
        Self::new(&account.email, username, account.display_name.as_deref())
    }
}

fn squeezed(text: &str) -> String {
    let letters = text.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}
