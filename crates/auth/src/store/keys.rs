use cgcg_core::{Conn, Timestamp, on};
use serde_json::Value;
use sqlx::types::Json;

/// A signing key as it is stored. The private part is sealed.
#[derive(sqlx::FromRow)]
pub(crate) struct SigningKeyInDb {
    pub(crate) kid: String,
    pub(crate) public_jwk: Json<Value>,
    pub(crate) private_sealed: Vec<u8>,
    pub(crate) state: String,
    pub(crate) delete_at: Option<Timestamp>,
}

/// All keys whose tokens may still be around, the active one first.
pub(crate) async fn list(conn: &mut Conn) -> sqlx::Result<Vec<SigningKeyInDb>> {
    let sql = "select kid, public_jwk, private_sealed, state, delete_at from auth_signing_keys order by state, kid";
    on!(conn, |c| sqlx::query_as(sql).fetch_all(c).await)
}

/// Makes this the active key, unless there is one: the unique index elects one node of several.
pub(crate) async fn elect(
    conn: &mut Conn,
    kid: &str,
    public_jwk: &Value,
    private_sealed: &[u8],
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into auth_signing_keys (kid, alg, public_jwk, private_sealed, state, created_at, activate_at)
               values ($1, 'EdDSA', $2, $3, 'active', $4, $4) on conflict do nothing";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(kid)
            .bind(Json(public_jwk))
            .bind(private_sealed)
            .bind(now)
            .execute(c)
            .await?;
    });
    Ok(())
}
