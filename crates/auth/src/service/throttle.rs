use std::net::IpAddr;
use std::time::Duration;

use cgcg_core::{Account, Conn, Email, FeatureKey, Id, Login, Timestamp, User};
use metrics::counter;

use super::Service;
use crate::audit::Entry;
use crate::schemas::{Device, SessionInDb};
use crate::store::throttle::{CounterInDb, Kind};
use crate::throttle::{Bucket, Key, Now, network, pause};
use crate::{Error, store};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// An address stays known for thirty days; written anew no more often than each day.
const RENEW: Duration = DAY;

/// Who a login is for, and what counts the failures at it. Unknown names have all of it too.
pub(super) struct Target {
    user: Option<Id<User>>,
    /// A MAC of the name, which counts and goes to the audit: people type passwords into that field. Two names of one
    /// account have two, else the counter would tell that they are one.
    name: Key,
    /// The account from this very address.
    pair: Option<Key>,
    /// The counter of the name, where there is one.
    failed: Option<CounterInDb>,
    /// The counter of the pair: there once it was logged in from here.
    known: Option<CounterInDb>,
}

impl Target {
    /// What counts the failures: an outsider's do not lock out an address from which the owner logs in.
    fn counted(&self) -> (Kind, &Key, Option<&CounterInDb>) {
        match (&self.pair, &self.known) {
            (Some(pair), Some(known)) => (Kind::Known, pair, Some(known)),
            _ => (Kind::Account, &self.name, self.failed.as_ref()),
        }
    }
}

impl Service {
    /// Counts a call of the address; nothing where it is not known.
    ///
    /// # Errors
    /// [`Error::Throttled`].
    pub(super) fn admit_call(&self, bucket: Bucket, device: &Device) -> Result<(), Error> {
        let Some(address) = device.ip.filter(|_| self.0.settings.throttle.addresses) else {
            return Ok(());
        };
        let taken = self.0.addresses.take(bucket, address);
        taken.map_err(|wait| throttled(bucket.as_str(), wait))
    }

    /// What is known of the failures at a name, somebody's or nobody's. One read, whoever it is.
    ///
    /// # Errors
    /// [`Error::Throttled`] while nobody may try.
    pub(super) async fn target(
        &self,
        conn: &mut Conn,
        login: &str,
        account: Option<&Account>,
        device: &Device,
    ) -> Result<Target, Error> {
        let key = &self.0.keys.throttle.current;
        let user = account.map(|account| account.id);
        let name = name_key(key, login);
        let owner = user.map_or(name, |user| account_key(key, user));
        let pair = device.ip.map(|ip| key.mac(&[b"pair", &octets(ip), &owner]));
        let mut target = Target {
            user,
            name,
            pair,
            failed: None,
            known: None,
        };
        if !self.0.settings.throttle.accounts {
            return Ok(target);
        }
        let keys = [&name, pair.as_ref().unwrap_or(&name)];
        for row in store::throttle::find(conn, keys, Now::new(self.now())).await? {
            match row.key == name {
                true => target.failed = Some(row),
                false => target.known = Some(row),
            }
        }
        self.may_try(&target)?;
        Ok(target)
    }

    fn may_try(&self, target: &Target) -> Result<(), Error> {
        let (kind, _, row) = target.counted();
        self.wait_until(kind, row.map(|row| row.blocked_until))
    }

    fn wait_until(&self, kind: Kind, until: Option<Timestamp>) -> Result<(), Error> {
        match until.map(|until| until.since(self.now())) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(throttled(bucket(kind), wait)),
        }
    }

    /// Whether the counter is open still, after a hash that was right. Who guesses many at once passes
    /// [`Service::target`] with all of them; a right one must not tell itself from the wrong ones.
    ///
    /// # Errors
    /// [`Error::Throttled`].
    pub(super) async fn still_open(&self, conn: &mut Conn, target: &Target) -> Result<(), Error> {
        if !self.0.settings.throttle.accounts {
            return Ok(());
        }
        let (kind, key, _) = target.counted();
        self.wait_until(kind, store::throttle::blocked_until(conn, key).await?)
    }

    /// As [`Service::still_open`]; no failure is counted before the transaction ends.
    ///
    /// # Errors
    /// [`Error::Throttled`].
    pub(super) async fn hold_open(&self, conn: &mut Conn, target: &Target) -> Result<(), Error> {
        if !self.0.settings.throttle.accounts {
            return Ok(());
        }
        let (kind, key, _) = target.counted();
        self.wait_until(kind, store::throttle::hold(conn, key).await?)
    }

    /// Counts and audits a wrong password, in a transaction of its own; `outcome` is the code of the error.
    ///
    /// # Errors
    /// [`Error::Throttled`] where others have failed meanwhile and nobody may try: it counts no more than a try that came
    /// after them.
    pub(super) async fn note_failure(
        &self,
        target: &Target,
        outcome: &'static str,
        device: &Device,
    ) -> Result<(), Error> {
        let mut conn = self.0.db.begin().await?;
        let (kind, key, _) = target.counted();
        let now = Now::new(self.now());
        if self.0.settings.throttle.accounts && outcome == "invalid_credentials" {
            let failures = store::throttle::fail(&mut conn, key, kind, target.user, now).await?;
            let Some(failures) = failures else {
                let until = store::throttle::blocked_until(&mut conn, key).await?;
                let wait = until.map_or(Duration::ZERO, |until| until.since(now.at));
                return Err(throttled(bucket(kind), wait));
            };
            let wait = pause(failures, &self.0.settings.throttle);
            if wait > Duration::ZERO {
                store::throttle::block(&mut conn, key, now.at + wait).await?;
            }
        }
        let entry = Entry::new("login.failure").refused(outcome).from(device);
        let entry = match target.user {
            Some(user) => entry.about(user.uuid()),
            None => entry,
        };
        self.audit_repeated_in(&mut conn, entry, &target.name)
            .await?;
        Ok(conn.commit().await?)
    }

    /// In the transaction of a login: it is audited, the failures are forgotten, and the address is known from now on.
    ///
    /// # Errors
    /// [`Error::Throttled`], as [`Service::hold_open`].
    pub(super) async fn note_success(
        &self,
        conn: &mut Conn,
        target: &Target,
        session: &SessionInDb,
        device: &Device,
    ) -> Result<(), Error> {
        self.hold_open(conn, target).await?;
        let user = session.user_id;
        let entry = Entry::new("login.success").by_user(user);
        let entry = entry.about(user.uuid()).session(session.id);
        self.audit_in(conn, entry.from(device)).await?;
        if !self.0.settings.throttle.accounts {
            return Ok(());
        }
        // The failures of others go on to count where the owner has a counter of their own.
        if target.known.is_none() && target.failed.is_some() {
            store::throttle::forget(conn, &target.name).await?;
        }
        let now = self.now();
        let fresh = |known: &CounterInDb| known.failures == 0 && now.since(known.last_at) < RENEW;
        match &target.pair {
            Some(pair) if !target.known.as_ref().is_some_and(fresh) => {
                Ok(store::throttle::know(conn, pair, user, now).await?)
            }
            _ => Ok(()),
        }
    }

    /// Opens an account that failures have closed, by whichever name: its owner has shown a mailed link, or an
    /// administrator says so.
    pub(super) async fn forgive_in(&self, conn: &mut Conn, user: Id<User>) -> sqlx::Result<()> {
        store::throttle::forgive(conn, user).await
    }

    /// Whether mail of a stranger's asking may go to `to`, asked for from `device`: 3 an hour and 10 a day for a target,
    /// 20 an hour for an address. Counts it, in a transaction of its own. Knows nothing of accounts, so a refusal tells
    /// nothing of them.
    ///
    /// # Errors
    /// [`Error::Throttled`], [`Error::Database`].
    pub(crate) async fn may_mail(&self, to: &Email, device: &Device) -> Result<(), Error> {
        let (key, to) = (&self.0.keys.throttle.current, to.canonical());
        let mut counters = vec![
            (key.mac(&[b"hour", to.as_bytes()]), HOUR, 3),
            (key.mac(&[b"day_", to.as_bytes()]), DAY, 10),
        ];
        if let Some(ip) = device.ip.filter(|_| self.0.settings.throttle.addresses) {
            counters.insert(0, (key.mac(&[b"mail", &octets(ip)]), HOUR, 20));
        }
        // Without a look into the database: a loop of refused calls must not keep others from writing.
        self.admit_call(Bucket::Mail, device)?;
        let mut conn = self.0.db.begin().await?;
        let mut refused = None;
        for (key, length, most) in counters {
            let now = self.now();
            let (count, end) = store::throttle::count_mail(&mut conn, &key, now, length).await?;
            if count > most {
                refused = Some(throttled("mail", end.since(now)));
                break;
            }
        }
        conn.commit().await?;
        refused.map_or(Ok(()), Err)
    }
}

/// A name that is nobody's counts as the account that it would be.
fn name_key(key: &FeatureKey, login: &str) -> Key {
    match login.parse::<Login>() {
        Ok(login) => key.mac(&[b"name", login.canonical().as_bytes()]),
        Err(_) => key.mac(&[b"text", login.as_bytes()]),
    }
}

fn account_key(key: &FeatureKey, user: Id<User>) -> Key {
    key.mac(&[b"user", user.uuid().as_bytes()])
}

fn octets(address: IpAddr) -> [u8; 16] {
    match network(address) {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// As the metric has it.
const fn bucket(kind: Kind) -> &'static str {
    match kind {
        Kind::Known => "pair",
        Kind::Account => "account",
        Kind::Mail => "mail",
    }
}

fn throttled(bucket: &'static str, retry_after: Duration) -> Error {
    counter!("cgcg_auth_throttled_total", "bucket" => bucket).increment(1);
    Error::Throttled { retry_after }
}
