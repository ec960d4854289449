use cgcg_core::{AccountStatus, Conn, Cursor, Engine, Limit, Timestamp, on};
use uuid::Uuid;

use super::packed::{packed, unpack};
use super::select;
use crate::Order;
use crate::schemas::UserInDb;

/// One text per question. A status stands in it as a literal: a bound one would not find its partial index.
macro_rules! texts {
    ($select:ident, $status:expr, $prefix:expr, $beyond:literal, $order:literal) => {
        match ($status, $prefix) {
            (None, false) => $select!("where ", $beyond, $order),
            (Some(AccountStatus::Active), false) => {
                $select!("where status = 'active' and ", $beyond, $order)
            }
            (Some(AccountStatus::Disabled), false) => {
                $select!("where status = 'disabled' and ", $beyond, $order)
            }
            (None, true) => texts!($select, "", $beyond, $order),
            (Some(AccountStatus::Active), true) => {
                texts!($select, "status = 'active' and ", $beyond, $order)
            }
            (Some(AccountStatus::Disabled), true) => {
                texts!($select, "status = 'disabled' and ", $beyond, $order)
            }
        }
    };
    // Two ranges of two unique indexes, then the rows that both found.
    ($select:ident, $status:literal, $beyond:literal, $order:literal) => {
        $select!(
            "where id in (select id from users where email_canonical >= $4 and email_canonical < $5
               union select id from users where username >= $4 and username < $5) and ",
            $status,
            $beyond,
            $order
        )
    };
    ($select:ident, $status:expr, $prefix:expr, $order:expr) => {
        match $order {
            Order::Oldest => texts!(
                $select,
                $status,
                $prefix,
                "(created_at, id) > ($1, $2)",
                " order by created_at, id limit $3"
            ),
            Order::Newest => texts!(
                $select,
                $status,
                $prefix,
                "(created_at, id) < ($1, $2)",
                " order by created_at desc, id desc limit $3"
            ),
        }
    };
}

/// Accounts behind `cursor`, one more than `limit`; `prefix` begins the e-mail or the user name.
pub(crate) async fn list(
    conn: &mut Conn,
    status: Option<AccountStatus>,
    prefix: Option<&str>,
    order: Order,
    cursor: Option<Cursor>,
    limit: Limit,
) -> sqlx::Result<Vec<UserInDb>> {
    let Cursor { at, id } = cursor.unwrap_or_else(|| before_all(order));
    // Both columns are printable ASCII, so DEL ends every name that begins with the prefix.
    let range = prefix.map(|low| (low, format!("{low}\u{7f}")));
    let filtered = prefix.is_some();
    match conn.engine() {
        Engine::Sqlite => {
            let sql = texts!(packed, status, filtered, order);
            let text: String = on!(conn, |c| {
                let query = sqlx::query_scalar(sql)
                    .bind(at)
                    .bind(id)
                    .bind(limit.one_more());
                let query = match &range {
                    Some((low, high)) => query.bind(*low).bind(high),
                    None => query,
                };
                query.fetch_one(c).await?
            });
            unpack(&text)
        }
        Engine::Postgres => {
            let sql = texts!(select, status, filtered, order);
            on!(conn, |c| {
                let query = sqlx::query_as(sql).bind(at).bind(id).bind(limit.one_more());
                let query = match &range {
                    Some((low, high)) => query.bind(*low).bind(high),
                    None => query,
                };
                query.fetch_all(c).await
            })
        }
    }
}

/// A place before the first row, so that a first page needs no text of its own.
const fn before_all(order: Order) -> Cursor {
    match order {
        Order::Oldest => Cursor {
            at: Timestamp::from_micros(i64::MIN),
            id: Uuid::nil(),
        },
        Order::Newest => Cursor {
            at: Timestamp::from_micros(i64::MAX),
            id: Uuid::max(),
        },
    }
}
