use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{Conn, Db, on};
use cgcg_tasks::{Handlers, Payload, TaskCtx, TaskError, Worker};
use tokio_util::sync::CancellationToken;

use crate::control::{Control, Orders};
use crate::ledger::Ledger;
use crate::{Failure, open};

const SLOTS: u16 = 200;

/// A worker process: until it is killed, or the run is over and it is told to end.
pub(crate) async fn run(url: &str, folder: &Path) -> Result<(), Failure> {
    let control = Control::new(folder);
    let (db, service) = open(url, &control).await?;
    let ledger = Arc::new(Ledger::open(folder)?);
    let stop = CancellationToken::new();
    tokio::spawn(obey(db.clone(), control, folder.join("stop"), stop.clone()));
    let worker = Worker::new(service, handlers(&ledger, &db)).queue("default", SLOTS);
    Ok(worker.run_until(stop).await?)
}

fn handlers(ledger: &Arc<Ledger>, db: &Db) -> Handlers {
    let [work, quick, effect, poison] = [(); 4].map(|()| ledger.clone());
    let db = db.clone();
    Handlers::new()
        .on_name("work", move |ctx, _| {
            let ledger = work.clone();
            async move {
                let token = ctx.token();
                ledger.begin(&token, ctx.attempt());
                let done = toil(&ctx).await.map(|()| token.clone());
                ledger.end(&token, ctx.attempt());
                result(&done?)
            }
        })
        .on_name("quick", move |ctx, _| {
            quick.begin(&ctx.token(), ctx.attempt());
            quick.end(&ctx.token(), ctx.attempt());
            let done = result(&ctx.token());
            async { done }
        })
        .on_name("effect", move |ctx, _| {
            let (ledger, db) = (effect.clone(), db.clone());
            async move {
                let token = ctx.token();
                ledger.begin(&token, ctx.attempt());
                let done = once(&ctx, &db).await;
                ledger.end(&token, ctx.attempt());
                done?;
                result(&token)
            }
        })
        .on_name("poison", move |ctx, _| {
            poison.begin(&ctx.token(), ctx.attempt());
            std::process::abort();
            #[expect(unreachable_code, reason = "it needs the type of a handler")]
            async {
                Ok(None)
            }
        })
}

fn result(token: &str) -> Result<Option<Payload>, TaskError> {
    Ok(Some(Payload::of(token).map_err(TaskError::dead)?))
}

/// A number below `most` that differs between executions.
fn chance(ctx: &TaskCtx, most: u64) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    ctx.token().hash(&mut hasher);
    hasher.finish() % most
}

async fn toil(ctx: &TaskCtx) -> Result<(), TaskError> {
    let time = match chance(ctx, 100) {
        0..5 => return Err(TaskError::retry("as chance has it")),
        5..13 => Duration::from_secs(2),
        number => Duration::from_millis(number),
    };
    // Some do not listen.
    if chance(ctx, 7) == 0 {
        tokio::time::sleep(time).await;
        return Ok(());
    }
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        () = ctx.cancelled().cancelled() => Err(TaskError::cancelled()),
    }
}

/// A row of its own in one transaction with its end: there must be one in the end, however often it runs.
async fn once(ctx: &TaskCtx, db: &Db) -> Result<(), TaskError> {
    let mut conn = db.begin().await?;
    let (sql, token) = ("insert into effect (task) values ($1)", ctx.token());
    let task = ctx.id().to_string();
    on!(&mut conn, |c| sqlx::query(sql)
        .bind(task)
        .execute(c)
        .await
        .map(drop))?;
    ctx.complete_in(&mut conn, &token).await?;
    Ok(conn.commit().await?)
}

/// Does to its own connections what only they can suffer from.
async fn obey(db: Db, control: Control, end: std::path::PathBuf, stop: CancellationToken) {
    let (mut before, mut taken) = (Orders::default(), Vec::<Conn>::new());
    while !end.exists() {
        let orders = control.read();
        if orders.full != before.full && limit(&db, orders.full).await.is_ok() {
            before.full = orders.full;
        }
        if !orders.taken {
            taken.clear();
        } else if taken.is_empty() {
            for _ in 0..10 {
                taken.extend(db.read().await);
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
}

/// SQLite: the file may grow no more, or again.
pub(crate) async fn limit(db: &Db, full: bool) -> sqlx::Result<()> {
    if db.engine() == cgcg_core::Engine::Postgres {
        return Ok(());
    }
    let sql = match full {
        // It is never below what there is.
        true => "pragma max_page_count = 1",
        false => "pragma max_page_count = 1000000000",
    };
    let mut conn = db.begin().await?;
    on!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop))?;
    conn.commit().await
}
