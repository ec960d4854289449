use std::sync::Arc;

use cgcg_core::{
    Account, AccountChange, AccountStatus, BoxFuture, Clock, Conn, Db, DirectoryError, Email, Id,
    Login, NewAccount, Timestamp, User, UserDirectory, on,
};
use cgcg_testkit::TestClock;

/// A table as another program might have made it: ids as text, a flag for who is barred.
pub(super) struct Members(pub(super) Arc<TestClock>);

type Row = (String, String, Option<i64>, Option<String>, i64, i64);

const TABLE: &str = "create table members (number text primary key, mail text not null, mail_key text not null unique, \
    proved_at bigint, nick text unique, barred bigint not null, since bigint not null)";

pub(super) async fn make_table(db: &Db) {
    let mut conn = db.begin().await.unwrap();
    run(&mut conn, TABLE, &[]).await.unwrap();
    conn.commit().await.unwrap();
}

/// What the keeper of the table does, once auth was asked.
pub(super) async fn change(conn: &mut Conn, id: Id<User>, change: AccountChange) {
    let sql = match change {
        AccountChange::Disabled => "update members set barred = 1 where number = $1",
        AccountChange::Enabled => "update members set barred = 0 where number = $1",
        AccountChange::Deleted => "delete from members where number = $1",
        AccountChange::EmailChanged => panic!("auth does that"),
    };
    run(conn, sql, &[id.to_string()]).await.unwrap();
}

/// How many rows it met.
async fn run(conn: &mut Conn, sql: &'static str, values: &[String]) -> sqlx::Result<u64> {
    on!(conn, |c| {
        let mut query = sqlx::query(sql);
        for value in values {
            query = query.bind(value.clone());
        }
        Ok(query.execute(c).await?.rows_affected())
    })
}

/// The member whose `column` has that value; the columns are ours.
async fn find(
    conn: &mut Conn,
    sql: &'static str,
    value: &str,
) -> Result<Option<Account>, DirectoryError> {
    let row: Option<Row> = on!(conn, |c| sqlx::query_as(sql)
        .bind(value)
        .fetch_optional(c)
        .await?);
    let account = |(number, mail, proved_at, nick, barred, since): Row| Account {
        id: number.parse().unwrap(),
        email: mail.parse().unwrap(),
        email_verified_at: proved_at.map(Timestamp::from_micros),
        username: nick.map(|nick| nick.parse().unwrap()),
        display_name: None,
        status: match barred {
            0 => AccountStatus::Active,
            _ => AccountStatus::Disabled,
        },
        created_at: Timestamp::from_micros(since),
    };
    Ok(row.map(account))
}

const BY_NUMBER: &str =
    "select number, mail, proved_at, nick, barred, since from members where number = $1";
const BY_MAIL: &str =
    "select number, mail, proved_at, nick, barred, since from members where mail_key = $1";
const BY_NICK: &str =
    "select number, mail, proved_at, nick, barred, since from members where nick = $1";
const INSERT: &str = "insert into members (number, mail, mail_key, proved_at, nick, barred, since)
 values ($1, $2, $3, $4, $5, 0, $6) on conflict do nothing";
const MOVE: &str = "update members set mail = $2, mail_key = $3, proved_at = $4 where number = $1";

impl UserDirectory for Members {
    fn find<'a>(
        &'a self,
        conn: &'a mut Conn,
        id: Id<User>,
    ) -> BoxFuture<'a, Result<Option<Account>, DirectoryError>> {
        Box::pin(async move { find(conn, BY_NUMBER, &id.to_string()).await })
    }

    fn find_by_login<'a>(
        &'a self,
        conn: &'a mut Conn,
        login: &'a Login,
    ) -> BoxFuture<'a, Result<Option<Account>, DirectoryError>> {
        Box::pin(async move {
            match login {
                Login::Email(email) => find(conn, BY_MAIL, &email.canonical()).await,
                Login::Username(name) => find(conn, BY_NICK, name.as_str()).await,
            }
        })
    }

    fn create<'a>(
        &'a self,
        conn: &'a mut Conn,
        new: NewAccount,
    ) -> BoxFuture<'a, Result<Account, DirectoryError>> {
        Box::pin(async move {
            let now = self.0.now();
            let (id, key) = (Id::<User>::new(now), new.email.canonical());
            let nick = new.username.as_ref().map(cgcg_core::Username::as_str);
            let made = on!(conn, |c| sqlx::query(INSERT)
                .bind(id.to_string())
                .bind(new.email.as_str())
                .bind(&key)
                .bind(new.email_verified.then_some(now.micros()))
                .bind(nick)
                .bind(now.micros())
                .execute(c)
                .await?
                .rows_affected());
            if made == 0 {
                return Err(match find(conn, BY_MAIL, &key).await? {
                    Some(_) => DirectoryError::EmailTaken,
                    None => DirectoryError::UsernameTaken,
                });
            }
            let made = find(conn, BY_NUMBER, &id.to_string()).await?;
            made.ok_or(DirectoryError::NotFound)
        })
    }

    fn set_email<'a>(
        &'a self,
        conn: &'a mut Conn,
        id: Id<User>,
        email: &'a Email,
        verified: bool,
    ) -> BoxFuture<'a, Result<(), DirectoryError>> {
        Box::pin(async move {
            let key = email.canonical();
            let owner = find(conn, BY_MAIL, &key).await?;
            if owner.is_some_and(|owner| owner.id != id) {
                return Err(DirectoryError::EmailTaken);
            }
            let moved = on!(conn, |c| sqlx::query(MOVE)
                .bind(id.to_string())
                .bind(email.as_str())
                .bind(&key)
                .bind(verified.then_some(self.0.now().micros()))
                .execute(c)
                .await?
                .rows_affected());
            if moved == 0 {
                Err(DirectoryError::NotFound)
            } else {
                Ok(())
            }
        })
    }
}
