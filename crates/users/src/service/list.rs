use cgcg_core::{Conn, Cursor, PageRequest};

use crate::schemas::UserInDb;
use crate::{NamePrefix, Order, UserFilter, store};

/// At most one more than the page holds. One statement.
pub(super) async fn rows(
    conn: &mut Conn,
    filter: &UserFilter,
    page: PageRequest,
) -> sqlx::Result<Vec<UserInDb>> {
    let prefix = filter
        .q
        .as_ref()
        .map(NamePrefix::as_str)
        .filter(|prefix| !prefix.is_empty());
    // A name finds one row or none; the rest of the question is answered here.
    let found = match (&filter.email, &filter.username) {
        (Some(email), _) => store::find_by_email(conn, &email.canonical()).await?,
        (None, Some(username)) => store::find_by_username(conn, username.as_str()).await?,
        // No name has such letters, and the range of an index is one of ASCII.
        (None, None) if prefix.is_some_and(|prefix| !prefix.is_ascii()) => None,
        (None, None) => {
            return store::list(
                conn,
                filter.status,
                prefix,
                filter.order,
                page.cursor,
                page.limit,
            )
            .await;
        }
    };
    Ok(found
        .into_iter()
        .filter(|row| fits(row, filter, prefix, page.cursor))
        .collect())
}

fn fits(row: &UserInDb, filter: &UserFilter, prefix: Option<&str>, cursor: Option<Cursor>) -> bool {
    let username = row.base.username.as_deref();
    let begins = |prefix: &str| {
        let email = row.base.email.as_bytes().get(..prefix.len());
        email.is_some_and(|email| email.eq_ignore_ascii_case(prefix.as_bytes()))
            || username.is_some_and(|name| name.starts_with(prefix))
    };
    let place = (row.created_at, row.id.uuid());
    filter
        .username
        .as_ref()
        .is_none_or(|name| username == Some(name.as_str()))
        && filter.status.is_none_or(|status| status == row.status)
        && prefix.is_none_or(begins)
        && cursor.is_none_or(|cursor| match filter.order {
            Order::Oldest => place > (cursor.at, cursor.id),
            Order::Newest => place < (cursor.at, cursor.id),
        })
}
