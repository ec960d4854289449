use cgcg_core::{Conn, Timestamp, on};
use serde_json::Value;
use sqlx::types::Json;

/// A signing key as it is stored. The private part is sealed.
#[derive(sqlx::FromRow)]
pub(crate) struct SigningKeyInDb {
    pub(crate) kid: String,
    pub(crate) private_sealed: Vec<u8>,
    pub(crate) state: String,
    pub(crate) created_at: Timestamp,
    pub(crate) activate_at: Option<Timestamp>,
    pub(crate) retire_at: Option<Timestamp>,
    pub(crate) delete_at: Option<Timestamp>,
}

/// A key that is not stored yet.
pub(crate) struct NewKey<'a> {
    pub(crate) kid: &'a str,
    pub(crate) public_jwk: &'a Value,
    pub(crate) private_sealed: &'a [u8],
    /// `active` or `next`.
    pub(crate) state: &'static str,
    pub(crate) created_at: Timestamp,
    /// From when it signs.
    pub(crate) activate_at: Timestamp,
}

/// All keys whose tokens may still be around, the active one first.
pub(crate) async fn list(conn: &mut Conn) -> sqlx::Result<Vec<SigningKeyInDb>> {
    let sql = "select kid, private_sealed, state, created_at, activate_at, retire_at, delete_at
                 from auth_signing_keys order by state, kid";
    on!(conn, |c| sqlx::query_as(sql).fetch_all(c).await)
}

/// Whoever else changes keys waits until the end of this transaction, and then sees what it did.
pub(crate) async fn lock(conn: &mut Conn) -> sqlx::Result<()> {
    let sql = "update auth_signing_keys set alg = alg";
    on!(conn, |c| {
        sqlx::query(sql).execute(c).await?;
    });
    Ok(())
}

/// Stores the key, unless another one has its state: the unique indexes elect one node of several. Whether it did.
pub(crate) async fn elect(conn: &mut Conn, new: &NewKey<'_>) -> sqlx::Result<bool> {
    let sql = "insert into auth_signing_keys (kid, alg, public_jwk, private_sealed, state, created_at, activate_at)
               values ($1, 'EdDSA', $2, $3, $4, $5, $6) on conflict do nothing";
    let done = on!(conn, |c| {
        let query = sqlx::query(sql).bind(new.kid).bind(Json(new.public_jwk));
        let query = query.bind(new.private_sealed).bind(new.state);
        let query = query.bind(new.created_at).bind(new.activate_at);
        query.execute(c).await?.rows_affected()
    });
    Ok(done == 1)
}

/// Lets the next key sign from `activate_at` on, where it would only later.
pub(crate) async fn hasten(conn: &mut Conn, kid: &str, activate_at: Timestamp) -> sqlx::Result<()> {
    let sql = "update auth_signing_keys set activate_at = $2 where kid = $1 and activate_at > $2";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(kid)
            .bind(activate_at)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// The active key signs no more; its tokens are good until `delete_at`.
pub(crate) async fn retire(
    conn: &mut Conn,
    kid: &str,
    now: Timestamp,
    delete_at: Timestamp,
) -> sqlx::Result<()> {
    let sql = "update auth_signing_keys set state = 'retired', retire_at = $2, delete_at = $3 where kid = $1";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(kid)
            .bind(now)
            .bind(delete_at)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// The next key signs from now on.
pub(crate) async fn activate(conn: &mut Conn, kid: &str, now: Timestamp) -> sqlx::Result<()> {
    let sql = "update auth_signing_keys set state = 'active', activate_at = $2 where kid = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(kid).bind(now).execute(c).await?;
    });
    Ok(())
}

/// Forgets a key, whatever it was.
pub(crate) async fn remove(conn: &mut Conn, kid: &str) -> sqlx::Result<()> {
    let sql = "delete from auth_signing_keys where kid = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(kid).execute(c).await?;
    });
    Ok(())
}

/// Forgets the retired keys whose tokens have all ended.
pub(crate) async fn remove_ended(conn: &mut Conn, now: Timestamp) -> sqlx::Result<()> {
    let sql = "delete from auth_signing_keys where delete_at <= $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(now).execute(c).await?;
    });
    Ok(())
}

/// Replaces the sealed private part of a key.
pub(crate) async fn reseal(conn: &mut Conn, kid: &str, private_sealed: &[u8]) -> sqlx::Result<()> {
    let sql = "update auth_signing_keys set private_sealed = $2 where kid = $1";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(kid)
            .bind(private_sealed)
            .execute(c)
            .await?;
    });
    Ok(())
}
